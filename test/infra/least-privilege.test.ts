// What the functions' roles may do: no more than their code calls, no wildcard without a reason, nothing unencrypted.
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { flattened } from '../../infra/constructs/acknowledge.ts';
import { type StoreUser, storeRights, storeUse } from '../../shared/store/rights.ts';
import { grantsOf, type TemplateResource, templateResources } from './templates.ts';

// With the machines of agents, which an installation may do without.
const resources = templateResources({ 'borealis:fleetMax': '5' });
const grants = grantsOf(resources, flattened);
const ofType = (type: string): TemplateResource[] => resources.filter((resource) => resource.type === type);

/** `stack/logical id` of a function's role. */
function roleOf(functionName: string): string {
  const found = ofType('AWS::Lambda::Function').find(
    ({ properties }) => properties.FunctionName === `borealis-test-${functionName}`,
  );
  expect(found, `there is no function ${functionName}`).toBeDefined();
  return `${found?.stack}/${found?.properties.Role['Fn::GetAtt'][0]}`;
}

describe('wildcards in rights', () => {
  const wild = grants.flatMap(({ role, actions, resources: on }) =>
    [...actions, ...on].filter((text) => text.includes('*')).map((text) => ({ role, text })),
  );

  it('each have a written reason, of at least a sentence', () => {
    const reasonOf = ({ role, text }: { role: string; text: string }): string => {
      const holder = resources.find(({ stack, id }) => `${stack}/${id}` === role);
      const reasons = (holder?.metadata['borealis:wildcards'] ?? {}) as Record<string, string>;
      return reasons[text] ?? '';
    };
    const bare = wild.filter((found) => reasonOf(found).length < 40);
    expect(
      bare,
      'Name the resource, or grant it with grantWide({ because }) of infra/constructs/acknowledge.ts',
    ).toEqual([]);
  });

  it('are never in an action', () => {
    expect(grants.flatMap(({ actions }) => actions).filter((action) => action.includes('*'))).toEqual([]);
  });

  it('cover everything only for actions that know no resource', () => {
    const everywhere = grants
      .filter(({ resources: on }) => on.includes('*'))
      .flatMap(({ actions }) => actions);
    expect(everywhere.toSorted()).toEqual(['dynamodb:ListStreams', 'sqs:ListQueues', 'sqs:ListQueues']);
  });

  it('come from no managed policy', () => {
    const managed = ofType('AWS::IAM::Role').flatMap(({ properties }) => properties.ManagedPolicyArns ?? []);
    expect(managed, 'Grant what is needed; managed policies are wide').toEqual([]);
  });
});

describe('the right to delete queues', () => {
  it("is about agents' queues, and of those alone who take them away", () => {
    const found = grants.filter(({ actions }) => actions.includes('sqs:DeleteQueue'));
    expect(found.map(({ role }) => role).toSorted()).toEqual(
      ['agent-queues', 'fanout', 'roll-call'].map(roleOf).toSorted(),
    );
    for (const { resources: on } of found) {
      expect(on.every((arn) => arn.endsWith(':borealis-test-agent-*'))).toBe(true);
    }
  });
});

describe("the role of the agents' machines", () => {
  const role = grants.filter(({ role: of }) => of.startsWith('borealis-test-agents/Role'));
  const may = (action: string): string[] =>
    role.filter(({ actions }) => actions.includes(action)).flatMap(({ resources: on }) => [...on]);

  it('lets an agent do what docs/iam/agent.json says it needs', () => {
    expect(
      may('sqs:SendMessage')
        .map((arn) => /AgentReports|Heartbeats/.exec(arn)?.[0] ?? arn)
        .toSorted(),
    ).toEqual(['AgentReports', 'Heartbeats']);
    for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueUrl']) {
      expect(may(action).some((arn) => arn.endsWith(':borealis-test-agent-i-*'))).toBe(true);
    }
    // It is told the address of the intake, but asks for that of the heartbeats.
    expect(may('sqs:GetQueueUrl').some((arn) => arn.includes('Heartbeats'))).toBe(true);
  });

  it('names the stage and the method, since a wildcard also matches what stands behind them', () => {
    expect(may('execute-api:Invoke').map((arn) => arn.slice(arn.indexOf('/')))).toEqual([
      '/$default/GET/agents/*/tasks',
    ]);
  });
});

describe.each(Object.keys(storeUse) as StoreUser[])('the role of %s on the tables', (user) => {
  it('may do exactly what the store methods it uses send', () => {
    const expected = new Set(
      storeUse[user].flatMap((method) =>
        storeRights[method].map((right) => {
          const [place = '', action = ''] = right.split(' ');
          return `dynamodb:${action} ${place}`;
        }),
      ),
    );
    const actual = new Set(
      grants
        .filter(({ role }) => role === roleOf(user))
        .flatMap(({ actions, resources: on }) =>
          actions.flatMap((action) => on.map((one) => [action, one] as const)),
        )
        .filter(([action, one]) => action.startsWith('dynamodb:') && !one.includes('Stream') && one !== '*')
        .map(([action, one]) => `${action} ${placeOf(one)}`),
    );
    expect([...actual].toSorted()).toEqual([...expected].toSorted());
  });

  it('covers no method that its code does not call', async () => {
    const text = await sourcesOf(user);
    const unused = storeUse[user].filter((method) => !new RegExp(`\\.${method}\\b`).test(text));
    expect(unused, `Take them out of storeUse['${user}'] in shared/store/rights.ts`).toEqual([]);
  });
});

function placeOf(arn: string): string {
  const index = /\/index\/(\w+)$/.exec(arn)?.[1];
  if (index !== undefined) return index;
  return /NotesTable/.test(arn) ? 'notes' : 'state';
}

/** Text of everything under functions/ that goes into a function's bundle, but the choice of methods itself. */
async function sourcesOf(user: StoreUser): Promise<string> {
  const { metafile } = await build({
    entryPoints: [`functions/${user}/handler.ts`],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    outdir: 'unused',
    logLevel: 'silent',
    loader: { '.json': 'json' },
  });
  return Object.keys(metafile.inputs)
    .filter((file) => file.startsWith('functions/'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

describe('encryption', () => {
  it('at rest covers every queue', () => {
    const bare = ofType('AWS::SQS::Queue').filter(
      ({ properties }) => properties.SqsManagedSseEnabled !== true && properties.KmsMasterKeyId === undefined,
    );
    expect(
      bare.map(({ id }) => id),
      'Use QueueEncryption.SQS_MANAGED',
    ).toEqual([]);
  });

  it('at rest covers every dead-letter queue, and every queue has its letters in one of them', () => {
    const queues = ofType('AWS::SQS::Queue');
    expect(queues.filter(({ properties }) => String(properties.QueueName).includes('-dlq')).length).toBe(7);
    for (const { properties } of queues) expect(properties.SqsManagedSseEnabled).toBe(true);
  });

  it('at rest is left to DynamoDB, CloudWatch Logs and EventBridge, which always encrypt; nothing names a lesser way', () => {
    const tables = ofType('AWS::DynamoDB::Table');
    expect(tables).toHaveLength(2);
    // Without a specification: a key that AWS owns. False would say the same, and read as if there were none.
    for (const { properties } of tables) expect(properties.SSESpecification?.SSEEnabled).not.toBe(false);
    const functions = ofType('AWS::Lambda::Function').filter(({ properties }) => properties.FunctionName);
    // Every function logs into a group of its own, and in no other.
    for (const { properties } of functions) expect(properties.LoggingConfig.LogGroup).toBeDefined();
  });

  it('of the tables is by a key of the installation if one is given, for the functions that use them, through DynamoDB only', () => {
    const key = 'arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555';
    const withKey = templateResources({ 'borealis:kmsKeyArn': key });
    const tables = withKey.filter(({ type }) => type === 'AWS::DynamoDB::Table');
    expect(tables.map(({ properties }) => properties.SSESpecification)).toEqual(
      tables.map(() => ({ KMSMasterKeyId: key, SSEEnabled: true, SSEType: 'KMS' })),
    );
    type Statement = { Action: string | string[]; Resource: unknown; Condition?: unknown };
    const statements = withKey
      .filter(({ type }) => type === 'AWS::IAM::Policy')
      .flatMap(({ properties }) => properties.PolicyDocument.Statement as Statement[]);
    const onKey = statements.filter(({ Resource }) => Resource === key);
    const onTables = withKey.filter(
      ({ type, properties }) =>
        type === 'AWS::IAM::Policy' && JSON.stringify(properties).includes('dynamodb:GetItem'),
    );
    expect(onKey.filter(({ Condition }) => Condition !== undefined).length).toBeGreaterThanOrEqual(
      onTables.length,
    );
    for (const { Action } of onKey)
      expect([Action].flat().filter((action) => action.includes('*'))).toEqual([]);
    expect(JSON.stringify(resources)).not.toContain('kms:');
  });

  it.each([
    ['AWS::SQS::Queue', 'AWS::SQS::QueuePolicy', 'Queues'],
    ['AWS::SNS::Topic', 'AWS::SNS::TopicPolicy', 'Topics'],
  ])('in transit is enforced on every %s', (type, policyType, key) => {
    const guarded = ofType(policyType)
      .filter(({ properties }) =>
        (properties.PolicyDocument.Statement as { Effect: string; Condition?: unknown }[]).some(
          ({ Effect, Condition }) =>
            Effect === 'Deny' && JSON.stringify(Condition) === '{"Bool":{"aws:SecureTransport":"false"}}',
        ),
      )
      .flatMap(({ stack, properties }) =>
        (properties[key] as { Ref: string }[]).map(({ Ref }) => `${stack}/${Ref}`),
      );
    const bare = ofType(type).filter(({ stack, id }) => !guarded.includes(`${stack}/${id}`));
    expect(
      bare.map(({ id }) => id),
      'Set enforceSSL: true',
    ).toEqual([]);
  });

  it('keeps every log group for a bounded time', () => {
    const groups = ofType('AWS::Logs::LogGroup');
    expect(groups.length).toBeGreaterThan(0);
    for (const { properties } of groups) expect(properties.RetentionInDays).toBeLessThanOrEqual(3653);
  });
});
