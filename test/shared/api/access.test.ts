// The example policies of docs/iam, evaluated on every route: each lets its audience do exactly what is meant.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Audience, accessDocument, audiences, routeAudiences } from '../../../shared/api/access.ts';
import { type RouteName, routes } from '../../../shared/api/routes.ts';
import { agentQueueName, heartbeatQueueName, intakeQueueName } from '../../../shared/model/names.ts';
import { allows, type Policy } from '../../support/iam.ts';

const api = 'arn:aws:execute-api:eu-west-1:123456789012:abc123/$default';

/** A policy of docs/iam as somebody fills it in. */
function policyOf(audience: Audience): Policy {
  const text = readFileSync(`docs/iam/${audience}.json`, 'utf8')
    .replaceAll('REGION', 'eu-west-1')
    .replaceAll('ACCOUNT', '123456789012')
    .replaceAll('API_ID', 'abc123')
    .replaceAll('ROLE', 'www')
    .replaceAll('ENVIRONMENT', 'devel')
    .replaceAll('CLUSTER', 'prod');
  // Nothing is left to be filled in.
  expect(text.replaceAll('POST', '')).not.toMatch(/\b[A-Z]{4,}/);
  return JSON.parse(text) as Policy;
}
const policies = Object.fromEntries(audiences.map((audience) => [audience, policyOf(audience)])) as Record<
  Audience,
  Policy
>;

interface Job {
  readonly role: string;
  readonly environment: string;
  readonly name: string;
}
const own: Job = { role: 'www', environment: 'devel', name: 'hello' };

function mayCall(audience: Audience, name: RouteName, { role, environment, name: jobName }: Job): boolean {
  const { method, path } = routes[name];
  const filled = path
    .replace('{role}', role)
    .replace('{environment}', environment)
    .replace('{name}', jobName)
    .replace('{taskId}', `${role}~${environment}~${jobName}~0~1~abcdefgh`)
    .replace('{agentId}', 'i-0123456789abcdef0')
    .replace('{updateId}', 'u1');
  expect(filled).not.toContain('{');
  return allows(policies[audience], 'execute-api:Invoke', `${api}/${method}${filled}`);
}

const names = Object.keys(routes) as RouteName[];

describe.each(audiences)('docs/iam/%s.json', (audience) => {
  it('allows exactly the routes that shared/api/access.ts names', () => {
    const allowed = names.filter((name) => mayCall(audience, name, own));
    const meant = names.filter((name) => routeAudiences[name].includes(audience));
    expect(allowed, 'change the policy or shared/api/access.ts').toEqual(meant);
  });
});

describe('an owner', () => {
  const ofJobs = names.filter((name) => /\{(environment|taskId)\}/.test(routes[name].path));

  it.each([
    ['another role', { ...own, role: 'db' }],
    ['another environment', { ...own, environment: 'prod' }],
    ['a role that begins alike', { ...own, role: 'www2' }],
    ['an environment that begins alike', { ...own, environment: 'devel2' }],
    ['a role that ends alike', { ...own, role: 'awww' }],
  ])('may do nothing to jobs of %s', (_what, job) => {
    expect(ofJobs.filter((name) => mayCall('owner', name, job))).toEqual([]);
  });

  const word = fc.constantFrom(
    'www',
    'devel',
    'jobs',
    'GET',
    'POST',
    'tasks',
    'agents',
    'updates',
    'kill',
    'www.devel',
    '$default',
  );
  it('is held to role and environment by whatever names jobs have', () => {
    fc.assert(
      fc.property(word, word, word, fc.constantFrom(...ofJobs), (role, environment, name, route) => {
        const meant = role === 'www' && environment === 'devel' && routeAudiences[route].includes('owner');
        expect(mayCall('owner', route, { role, environment, name })).toBe(meant);
      }),
      { numRuns: 2000 },
    );
  });

  it('and a reader never gets a change of another through by whatever names jobs have', () => {
    fc.assert(
      fc.property(word, word, word, fc.constantFrom(...names), (role, environment, name, route) => {
        const meant = routeAudiences[route].includes('reader');
        expect(mayCall('reader', route, { role, environment, name })).toBe(meant);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('an agent', () => {
  const sqs = (queue: string): string => `arn:aws:sqs:eu-west-1:123456789012:${queue}`;
  const queues = {
    intake: intakeQueueName('prod'),
    heartbeats: heartbeatQueueName('prod'),
    own: agentQueueName('prod', 'i-1'),
    matcher: 'borealis-prod-matcher.fifo',
    'of another cluster': agentQueueName('test', 'i-1'),
  };
  const actions = [
    'GetQueueUrl',
    'SendMessage',
    'ReceiveMessage',
    'DeleteMessage',
    'SetQueueAttributes',
    'PurgeQueue',
  ];

  it.each([
    ['intake', ['GetQueueUrl', 'SendMessage']],
    ['heartbeats', ['GetQueueUrl', 'SendMessage']],
    ['own', ['GetQueueUrl', 'ReceiveMessage', 'DeleteMessage']],
    ['matcher', []],
    ['of another cluster', []],
  ] as const)('may do to the queue %s: %j', (queue, allowed) => {
    const may = actions.filter((action) => allows(policies.agent, `sqs:${action}`, sqs(queues[queue])));
    expect(may).toEqual(allowed);
  });

  it('may send every request that its code sends', () => {
    const source = ['agent/sqs-transport.ts', 'cli/local/queues.ts']
      .map((file) => readFileSync(file, 'utf8'))
      .join();
    const sent = [...new Set([...source.matchAll(/new (\w+)Command\(/g)].map(([, name]) => name ?? ''))];
    expect(sent.length).toBeGreaterThan(3);
    const missing = sent.filter(
      (name) => !Object.values(queues).some((queue) => allows(policies.agent, `sqs:${name}`, sqs(queue))),
    );
    expect(missing, 'add the action to docs/iam/agent.json').toEqual([]);
  });
});

describe('docs/reference/access.md', () => {
  it('is what `node scripts/write-access.ts` writes', () => {
    expect(readFileSync('docs/reference/access.md', 'utf8')).toBe(accessDocument());
  });
});
