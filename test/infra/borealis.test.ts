// The CDK app's invariants: what must hold for every queue, function, route and mapping, whatever is added later.
import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { addBorealis } from '../../infra/borealis.ts';
import * as schemas from '../../shared/api/env.ts';
import { routes } from '../../shared/api/routes.ts';
import {
  agentQueueName,
  commandsQueueName,
  heartbeatQueueName,
  intakeQueueName,
  updateWorkflowName,
} from '../../shared/model/names.ts';
import { notesTable, stateTable } from '../../shared/store/tables.ts';

interface CfnResource {
  readonly Type: string;
  readonly Properties: unknown;
  readonly Metadata?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

function synth(context: Readonly<Record<string, unknown>> = {}): Map<string, CfnResource> {
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [], ...context },
    analyticsReporting: false,
  });
  addBorealis(app);
  const resources = new Map<string, CfnResource>();
  for (const stack of app.synth().stacks) {
    const { Resources } = stack.template as { Resources: Record<string, CfnResource> };
    for (const [id, resource] of Object.entries(Resources))
      resources.set(`${stack.stackName}/${id}`, resource);
  }
  return resources;
}

const resources = synth({ 'borealis:cluster': 'test' });

function all(type: string): [string, CfnResource][] {
  return [...resources].filter(([, resource]) => resource.Type === type);
}

function properties(type: string): unknown[] {
  return all(type).map(([, resource]) => resource.Properties);
}

/** The value at a path such as `Environment.Variables` or `Dimensions.0`. */
function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
}

const isDlqPattern = /-dlq(\.fifo)?$/;

describe('the roll call', () => {
  it('gets memory, and with it processor time, by the size of the fleet', () => {
    const memoryOf = (from: typeof resources) => {
      const functions = [...from.values()].filter(({ Type }) => Type === 'AWS::Lambda::Function');
      const rollCall = functions.find(({ Properties }) =>
        String(at(Properties, 'FunctionName')).endsWith('-roll-call'),
      );
      return at(rollCall?.Properties, 'MemorySize');
    };
    expect(memoryOf(resources)).toBe(192);
    expect(memoryOf(synth({ 'borealis:fleetSize': '10000' }))).toBe(960);
    expect(memoryOf(synth({ 'borealis:fleetSize': '18000' }))).toBe(1_728);
  });
});

describe('queues', () => {
  const queues = properties('AWS::SQS::Queue');
  const nameOf = (queue: unknown): string => String(at(queue, 'QueueName'));
  const working = queues.filter((queue) => !isDlqPattern.test(nameOf(queue)));

  it('are the ones the functions and agents know by name', () => {
    expect(working.map(nameOf).toSorted()).toEqual([
      commandsQueueName('test'),
      heartbeatQueueName('test'),
      intakeQueueName('test'),
      'borealis-test-jobs.fifo',
      'borealis-test-matcher.fifo',
      'borealis-test-timers',
    ]);
  });

  // No message of it is worth keeping: the next heartbeat says the same.
  const kept = working.filter((queue) => nameOf(queue) !== heartbeatQueueName('test'));
  it.each(kept.map((queue) => [nameOf(queue), queue] as const))(
    '%s has a dead-letter queue of its kind',
    (_, queue) => {
      const id = String(at(queue, 'RedrivePolicy.deadLetterTargetArn.Fn::GetAtt.0'));
      const target = resources.get(`borealis-test-state/${id}`)?.Properties;
      expect(nameOf(target)).toMatch(isDlqPattern);
      expect(at(target, 'FifoQueue')).toBe(at(queue, 'FifoQueue'));
      expect(at(queue, 'RedrivePolicy.maxReceiveCount')).toBeGreaterThanOrEqual(5);
    },
  );

  it('keep dead letters for 14 days and alarm on each of them', () => {
    const dlqs = all('AWS::SQS::Queue').filter(([, queue]) => isDlqPattern.test(nameOf(queue.Properties)));
    expect(dlqs).toHaveLength(6);
    const alarms = properties('AWS::CloudWatch::Alarm');
    const watched = alarms.map((alarm) => at(alarm, 'Dimensions.0.Value.Fn::GetAtt.0'));
    for (const [path, queue] of dlqs) {
      expect(at(queue, 'Properties.MessageRetentionPeriod')).toBe(1_209_600);
      expect(watched).toContain(path.split('/')[1]);
    }
    for (const alarm of alarms) expect(at(alarm, 'AlarmActions')).toHaveLength(1);
  });

  it('never swallow a wake-up by its content', () => {
    const fifo = working.filter((queue) => at(queue, 'FifoQueue'));
    expect(fifo).toHaveLength(2);
    for (const queue of fifo) expect(at(queue, 'ContentBasedDeduplication')).toBe(false);
  });

  it('hide a message for longer than its worker may run', () => {
    const checked: string[] = [];
    for (const mapping of properties('AWS::Lambda::EventSourceMapping')) {
      const imported = JSON.stringify(at(mapping, 'EventSourceArn'));
      const queue = all('AWS::SQS::Queue').find(([path]) => imported.includes(path.split('/')[1] ?? '-'))?.[1]
        .Properties;
      if (!queue) continue;
      const worker = resources.get(
        `borealis-test-control-plane/${String(at(mapping, 'FunctionName.Ref'))}`,
      )?.Properties;
      expect(at(queue, 'VisibilityTimeout')).toBeGreaterThan(Number(at(worker, 'Timeout')));
      checked.push(nameOf(queue));
    }
    expect(checked).toHaveLength(5);
  });
});

describe('what is left when the stacks are deleted', () => {
  const policies = (found: Map<string, CfnResource>) =>
    [...found.values()]
      .filter(({ Type }) => Type === 'AWS::DynamoDB::Table')
      .map(({ DeletionPolicy, Properties }) => [DeletionPolicy, at(Properties, 'DeletionProtectionEnabled')]);

  it('is the data, which cannot be deleted by mistake', () => {
    expect(policies(resources)).toEqual([
      ['Retain', true],
      ['Retain', true],
    ]);
  });

  it('is nothing if so chosen', () => {
    const thrownAway = synth({ 'borealis:keepData': 'false' });
    expect(policies(thrownAway)).toEqual([
      ['Delete', false],
      ['Delete', false],
    ]);
    const kept = [...thrownAway].filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain');
    expect(kept.map(([path]) => path)).toEqual([]);
  });

  it("is no queue of an agent: their resource goes before its function's rights do", () => {
    const found = all('Custom::AgentQueues').map(([, resource]) => resource as { DependsOn?: string[] });
    expect(found).toHaveLength(1);
    expect(found[0]?.DependsOn).toContainEqual(expect.stringMatching(/RoleDefaultPolicy/));
  });
});

describe('functions', () => {
  const schemaOf: Readonly<Record<string, z.ZodObject>> = {
    api: schemas.apiEnvSchema,
    fanout: schemas.fanoutEnvSchema,
    matcher: schemas.matcherEnvSchema,
    'job-worker': schemas.jobWorkerEnvSchema,
    'agent-events': schemas.agentEventsEnvSchema,
    commands: schemas.commandsEnvSchema,
    timers: schemas.timersEnvSchema,
    sweeper: schemas.sweeperEnvSchema,
    'roll-call': schemas.rollCallEnvSchema,
    'agent-queues': schemas.agentQueuesEnvSchema,
  };
  const functions = all('AWS::Lambda::Function').map(([, resource]) => resource);
  const nameOf = (resource: CfnResource): string =>
    String(at(resource, 'Properties.FunctionName')).replace('borealis-test-', '');

  it('are all there, on arm64 and Node 24', () => {
    expect(functions.map(nameOf).toSorted()).toEqual(Object.keys(schemaOf).toSorted());
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({ Architectures: ['arm64'], Runtime: 'nodejs24.x' });
    }
  });

  it.each(functions.map((fn) => [nameOf(fn), fn] as const))(
    '%s gets every variable its handler asks for, and no other',
    (name, fn) => {
      const schema = schemaOf[name] as z.ZodObject;
      const variables = at(fn, 'Properties.Environment.Variables') as Record<string, unknown>;
      // References are resolved by CloudFormation; for the schema any text will do.
      const texts = Object.fromEntries(
        Object.entries(variables).map(([key, value]) => [
          key,
          typeof value === 'string' ? value : 'resolved',
        ]),
      );
      expect(schema.safeParse(texts)).toMatchObject({ success: true });
      expect(Object.keys(variables).toSorted()).toEqual(
        [...Object.keys(schema.shape), 'NODE_OPTIONS'].toSorted(),
      );
    },
  );

  it('that send to the queue they work on are not stopped as a loop', () => {
    const allowed = functions.filter((fn) => at(fn, 'Properties.RecursiveLoop') === 'Allow').map(nameOf);
    expect(allowed.toSorted()).toEqual(['job-worker', 'matcher', 'sweeper', 'timers']);
  });

  it('say which source file they run', () => {
    for (const fn of functions) {
      expect(fn.Metadata?.['borealis:entry']).toBe(`functions/${nameOf(fn)}/handler.ts`);
    }
  });

  it('may touch no more agents than those of their cluster, and no table as a whole', () => {
    const statements = properties('AWS::IAM::Policy').flatMap(
      (policy) => at(policy, 'PolicyDocument.Statement') as unknown[],
    );
    const actions = statements.flatMap((statement) => [at(statement, 'Action')].flat() as string[]);
    expect(actions.filter((action) => action.includes('*') && !action.startsWith('dynamodb:'))).toEqual([]);
    expect(actions).not.toContain('dynamodb:Scan');
    expect(actions).not.toContain('dynamodb:DeleteTable');
    const makers = statements.filter((statement) =>
      [at(statement, 'Action')].flat().includes('sqs:CreateQueue'),
    );
    expect(makers).toHaveLength(4);
    for (const maker of makers) {
      expect(JSON.stringify(at(maker, 'Resource'))).toContain(`:${agentQueueName('test', '*')}`);
    }
  });
});

describe('the HTTP API', () => {
  it('has every route of the table exactly once, signed by default', () => {
    const expected = [...Object.values(routes).map(({ method, path }) => `${method} ${path}`), '$default'];
    const actual = properties('AWS::ApiGatewayV2::Route');
    expect(actual.map((route) => String(at(route, 'RouteKey'))).toSorted()).toEqual(expected.toSorted());
    for (const route of actual) expect(at(route, 'AuthorizationType')).toBe('AWS_IAM');
  });

  it('takes requests up to a rate, and submissions up to one of their own', () => {
    const stageOf = (all: Map<string, CfnResource>) => {
      const [stage] = [...all.values()].filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Stage');
      return stage as CfnResource & { readonly DependsOn?: readonly string[] };
    };
    const stage = stageOf(resources);
    const submit = { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 };
    expect(stage.Properties).toMatchObject({
      DefaultRouteSettings: { ThrottlingRateLimit: 2000, ThrottlingBurstLimit: 4000 },
      RouteSettings: {
        'POST /jobs/{role}/{environment}/{name}': submit,
        'POST /jobs/{role}/{environment}/{name}/instances': submit,
        'POST /jobs/{role}/{environment}/{name}/updates': submit,
        'POST /jobs/{role}/{environment}/{name}/updates/plan': submit,
      },
    });
    // Each must exist before the stage names it.
    const keys = Object.keys(at(stage.Properties, 'RouteSettings') as object);
    const needed = (stage.DependsOn ?? []).map((id) => resources.get(`borealis-test-control-plane/${id}`));
    expect(needed.flatMap((route) => at(route?.Properties, 'RouteKey') ?? [])).toEqual(
      expect.arrayContaining(keys),
    );
    const chosen = stageOf(synth({ 'borealis:apiRate': '70', 'borealis:submitRate': '3' }));
    expect(at(chosen.Properties, 'DefaultRouteSettings.ThrottlingRateLimit')).toBe(70);
    expect(JSON.stringify(at(chosen.Properties, 'RouteSettings'))).toContain('"ThrottlingBurstLimit":6');
  });

  it('can be opened on request', () => {
    const open = [...synth({ 'borealis:auth': 'none' }).values()].filter(
      ({ Type }) => Type === 'AWS::ApiGatewayV2::Route',
    );
    expect(open.length).toBe(Object.keys(routes).length + 1);
    for (const { Properties } of open) expect(Properties).toMatchObject({ AuthorizationType: 'NONE' });
  });
});

describe('event sources', () => {
  const mappings = properties('AWS::Lambda::EventSourceMapping');

  it('report failures item by item', () => {
    expect(mappings).toHaveLength(6);
    for (const mapping of mappings)
      expect(at(mapping, 'FunctionResponseTypes')).toEqual(['ReportBatchItemFailures']);
  });

  it('read the whole stream, halve a failing batch and keep a note of what is given up', () => {
    const streams = mappings.filter((mapping) => at(mapping, 'StartingPosition'));
    expect(streams).toHaveLength(1);
    expect(streams[0]).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      BisectBatchOnFunctionError: true,
      BatchSize: 100,
    });
    expect(at(streams, '0.MaximumRetryAttempts')).toBeGreaterThan(0);
    expect(at(streams, '0.DestinationConfig.OnFailure.Destination')).toBeDefined();
  });

  it('sweep and call the roll once a minute', () => {
    const minutely = { ScheduleExpression: 'rate(1 minute)' };
    expect(properties('AWS::Scheduler::Schedule')).toMatchObject([minutely, minutely]);
  });

  it('repeat nothing that failed or came too late: neither the schedule does it nor Lambda itself', () => {
    const once = { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 };
    const schedules = properties('AWS::Scheduler::Schedule');
    expect(schedules.map((schedule) => at(schedule, 'Target.RetryPolicy'))).toEqual([once, once]);
    const called = schedules.map((schedule) => at(schedule, 'Target.Arn.Fn::GetAtt.0'));
    const configs = properties('AWS::Lambda::EventInvokeConfig');
    expect(configs).toMatchObject([once, once]);
    expect(new Set(configs.map((config) => at(config, 'FunctionName.Ref')))).toEqual(new Set(called));
    for (const config of configs) expect(at(config, 'Qualifier')).toBe('$LATEST');
  });
});

describe('the update workflow', () => {
  const machines = properties('AWS::StepFunctions::StateMachine');

  it('is named so that its functions find it', () => {
    expect(machines.map((machine) => at(machine, 'StateMachineName'))).toEqual([updateWorkflowName('test')]);
  });

  it('comes from verdict to verdict in four transitions, by states a person can read', () => {
    const text = JSON.stringify(at(machines[0], 'DefinitionString'))
      .replaceAll(/\\"/g, '"')
      .replaceAll('\\', '');
    const states = [...text.matchAll(/"([^"]+)":\{"(?:Next|Type|End)/g)].map(([, name]) => name);
    expect(states).toEqual(
      expect.arrayContaining([
        'Verdict',
        'Which way?',
        'Forward batch',
        'Roll back batch',
        'Watch',
        'Rolled back',
      ]),
    );
    expect(text).toContain('lambda:invoke.waitForTaskToken');
    expect(text).toContain('"TimestampPath":"$.batch.until"');
  });

  it('may be started by the stream consumer only, and looked at by the sweeper only', () => {
    const statements = all('AWS::IAM::Policy').flatMap(([path, { Properties }]) =>
      (at(Properties, 'PolicyDocument.Statement') as unknown[]).flatMap((statement) =>
        ([at(statement, 'Action')].flat() as string[])
          .filter((action) => action.startsWith('states:'))
          .map((action) => `${path.replace(/^.*\/(\w+?)RoleDefaultPolicy.*$/, '$1')} ${action}`),
      ),
    );
    expect(statements.toSorted()).toEqual([
      'Fanout states:StartExecution',
      'JobWorker states:SendTaskSuccess',
      'Sweeper states:DescribeExecution',
    ]);
  });
});

describe('tables', () => {
  const tables = all('AWS::DynamoDB::Table').map(([, resource]) => resource);

  it('survive their stack and can be restored', () => {
    expect(tables).toHaveLength(2);
    for (const table of tables) {
      expect(table.DeletionPolicy).toBe('Retain');
      expect(table.Properties).toMatchObject({
        BillingMode: 'PAY_PER_REQUEST',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      });
    }
  });

  it.each([
    ['borealis-test-state', stateTable],
    ['borealis-test-notes', notesTable],
  ])('%s has the keys, indexes and stream of its definition', (name, definition) => {
    const table = tables.find(({ Properties }) => at(Properties, 'TableName') === name)?.Properties;
    expect([at(table, 'KeySchema.0.AttributeName'), at(table, 'KeySchema.1.AttributeName')]).toEqual([
      definition.partitionKey,
      definition.sortKey,
    ]);
    const indexes = (at(table, 'GlobalSecondaryIndexes') ?? []) as unknown[];
    const described = indexes.map((index) => [
      at(index, 'IndexName'),
      at(index, 'Projection.NonKeyAttributes') ?? [],
    ]);
    expect(described).toEqual(definition.indexes.map((index) => [index.name, index.include]));
    expect(at(table, 'StreamSpecification.StreamViewType')).toBe(definition.stream);
  });
});

describe('context', () => {
  it.each([
    [{ 'borealis:cluser': 'x' }, 'borealis:cluser is not known'],
    [{ 'borealis:cluster': 'Has Spaces' }, 'borealis:cluster is "Has Spaces"'],
    [{ 'borealis:cluster': 7 }, 'borealis:cluster is 7; it must be a text'],
    [{ 'borealis:auth': 'basic' }, 'borealis:auth is "basic"; it must be one of iam, none'],
    [{ 'borealis:meter': 'yes' }, 'borealis:meter is "yes"; it must be one of true, false'],
    [{ 'borealis:keepData': 'no' }, 'borealis:keepData is "no"; it must be one of true, false'],
    [
      { 'borealis:kmsKeyArn': 'alias/mine' },
      'borealis:kmsKeyArn is "alias/mine"; it must be the ARN of a KMS key',
    ],
    [{ 'borealis:cluster': 'prod-agent' }, '-agent in it is kept for the names of queues'],
    [{ 'borealis:cluster': 'prod-agent-2' }, '-agent in it is kept for the names of queues'],
    [{ 'borealis:fleetSize': '18001' }, 'borealis:fleetSize must be a whole number from 1 to 18000'],
    [{ 'borealis:backlogLimit': '0' }, 'borealis:backlogLimit must be a whole number from 1 to 1000000'],
    [
      { 'borealis:agentMassPercent': '101' },
      'borealis:agentMassPercent must be a whole number from 1 to 100',
    ],
    [
      { 'borealis:agentLostAfterSecs': '89' },
      'borealis:agentLostAfterSecs must be a whole number of seconds from 90 to 3600',
    ],
    [{ 'borealis:submitRate': 'fast' }, 'borealis:submitRate must be a whole number from 1 to 10000'],
    [
      { 'borealis:updateTurns': '0' },
      'borealis:updateTurns is "0"; it must be a whole number from 1 to 1500',
    ],
  ])('%j fails the synth and says why', (context, message) => {
    expect(() => synth(context)).toThrow(message);
  });
});
