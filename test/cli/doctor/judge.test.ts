// What the doctor makes of what it finds: each illness has its finding with something to do, and a healthy installation
// has none.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DeployedFacts, EmbeddedFacts, Facts, Finding } from '../../../cli/doctor/facts.ts';
import { judge } from '../../../cli/doctor/judge.ts';
import { runbookEntries } from '../../../infra/constructs/runbook-alarm.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const agent = { agentId: 'a-1', version: '0.1.0', lastSeenAt: now - 20_000, tasks: 3 };
const api = { version: '0.1.0', cluster: 'prod', storeOk: true, skewMs: 300 };
const queue = (name: string, visible = 0) => ({ name: `borealis-prod-${name}`, visible, inFlight: 0 });
const table = { name: 'borealis-prod-state', status: 'ACTIVE', restorable: true, deletionProtected: true };
const stack = (part: string, status: DeployedFacts['stacks'][number]['status']) => ({
  name: `borealis-prod-${part}`,
  status,
});
const fine = { found: 'UPDATE_COMPLETE' };

const deployed: DeployedFacts = {
  cluster: 'prod',
  region: 'eu-central-1',
  identity: { found: 'arn:aws:iam::123456789012:role/ops' },
  stacks: ['state', 'control-plane', 'observability'].map((part) => stack(part, fine)),
  schedules: { found: [{ name: 'borealis-prod-sweep', state: 'ENABLED' }] },
  sources: { found: [{ name: 'borealis-prod-matcher', state: 'Enabled' }] },
  tables: { found: [table] },
  queues: { found: [queue('matcher.fifo', 4), queue('matcher-dlq.fifo')] },
  alarms: { found: [] },
};
const healthy: Facts = {
  now,
  clientVersion: '0.1.0',
  apiUrl: 'https://api.example.com',
  api: { found: api },
  agents: { found: [agent] },
  deployed,
};
const embedded: EmbeddedFacts = {
  cluster: 'local',
  queues: [{ name: 'borealis-local-intake', visible: 0, inFlight: 1 }],
  functions: [{ name: 'borealis-local-api', invocations: 7, errors: 0 }],
  outstanding: 12,
};

const withDeployed = (over: Partial<DeployedFacts>): Facts => ({
  ...healthy,
  deployed: { ...deployed, ...over },
});
const { deployed: _, ...local } = { ...healthy, embedded };
const bad = (facts: Facts): readonly Finding[] => judge(facts).filter(({ level }) => level !== 'ok');

describe('a healthy installation', () => {
  it.each([
    [
      'deployed',
      healthy,
      [
        'api',
        'version',
        'clock',
        'credentials',
        'stacks',
        'tables',
        'event sources',
        'schedules',
        'queues',
        'alarms',
        'agents',
      ],
    ],
    ['embedded', local, ['api', 'version', 'clock', 'queues', 'functions', 'agents']],
  ])('%s: everything is looked at and nothing is to do', (_name, facts, checks) => {
    expect(bad(facts)).toEqual([]);
    expect([...new Set(judge(facts).map(({ check }) => check))]).toEqual(checks);
  });
});

const denied = { failure: 'denied', why: 'not authorized to perform' } as const;
const missing = { failure: 'missing', why: 'does not exist' } as const;

const illnesses: readonly (readonly [string, Facts, Finding['check'], Finding['level'], RegExp])[] = [
  [
    'an API that is not there',
    { ...healthy, api: { failure: 'failed', why: 'connection refused' } },
    'api',
    'problem',
    /does not answer: connection refused/,
  ],
  ['an API one may not call', { ...healthy, api: denied }, 'api', 'problem', /not authorized/],
  [
    'a store that is away',
    { ...healthy, api: { found: { ...api, storeOk: false } } },
    'api',
    'problem',
    /its store does not/,
  ],
  [
    'an older control plane',
    { ...healthy, clientVersion: '0.2.0' },
    'version',
    'warning',
    /client is 0\.2\.0, the control plane 0\.1\.0/,
  ],
  [
    'a clock that is a minute off',
    { ...healthy, api: { found: { ...api, skewMs: -61_000 } } },
    'clock',
    'warning',
    /61 s behind/,
  ],
  [
    'a clock that is six minutes off',
    { ...healthy, api: { found: { ...api, skewMs: 360_000 } } },
    'clock',
    'problem',
    /360 s ahead/,
  ],
  [
    'a server without a clock',
    { ...healthy, api: { found: { ...api, skewMs: undefined } } },
    'clock',
    'unknown',
    /what time/,
  ],
  [
    'no credentials',
    withDeployed({ identity: { failure: 'failed', why: 'no credentials found' } }),
    'credentials',
    'problem',
    /no credentials found/,
  ],
  [
    'a missing stack',
    withDeployed({ stacks: [stack('state', missing)] }),
    'stacks',
    'problem',
    /not in this account and region \(eu-central-1\)/,
  ],
  [
    'missing alarms',
    withDeployed({ stacks: [stack('observability', missing)] }),
    'stacks',
    'warning',
    /no alarm tells anybody/,
  ],
  [
    'a deployment that was undone',
    withDeployed({ stacks: [stack('state', { found: 'UPDATE_ROLLBACK_COMPLETE' })] }),
    'stacks',
    'warning',
    /was undone/,
  ],
  [
    'a deployment that is stuck',
    withDeployed({ stacks: [stack('state', { found: 'UPDATE_ROLLBACK_FAILED' })] }),
    'stacks',
    'problem',
    /UPDATE_ROLLBACK_FAILED/,
  ],
  [
    'a deployment under way',
    withDeployed({ stacks: [stack('state', { found: 'UPDATE_IN_PROGRESS' })] }),
    'stacks',
    'warning',
    /IN_PROGRESS/,
  ],
  [
    'a stack one may not see',
    withDeployed({ stacks: [stack('state', denied)] }),
    'stacks',
    'unknown',
    /not authorized/,
  ],
  [
    'a sweep that is switched off',
    withDeployed({ schedules: { found: [{ name: 'borealis-prod-sweep', state: 'DISABLED' }] } }),
    'schedules',
    'problem',
    /sweep is DISABLED/,
  ],
  [
    'no schedule at all',
    withDeployed({ schedules: { found: [] } }),
    'schedules',
    'problem',
    /hold no schedules/,
  ],
  [
    'a queue nobody reads',
    withDeployed({ sources: { found: [{ name: 'borealis-prod-matcher', state: 'Disabled' }] } }),
    'event sources',
    'problem',
    /matcher is Disabled/,
  ],
  [
    'a table that cannot be restored',
    withDeployed({ tables: { found: [{ ...table, restorable: false }] } }),
    'tables',
    'warning',
    /cannot be restored/,
  ],
  [
    'a table that can be deleted',
    withDeployed({ tables: { found: [{ ...table, deletionProtected: false }] } }),
    'tables',
    'warning',
    /by mistake/,
  ],
  [
    'a table that is being restored',
    withDeployed({ tables: { found: [{ ...table, status: 'CREATING' }] } }),
    'tables',
    'problem',
    /is CREATING/,
  ],
  [
    'dead letters',
    withDeployed({ queues: { found: [queue('jobs-dlq.fifo', 1)] } }),
    'queues',
    'problem',
    /jobs-dlq\.fifo holds 1 message: work that was given up/,
  ],
  [
    'a backlog',
    withDeployed({ queues: { found: [queue('intake', 5_000)] } }),
    'queues',
    'warning',
    /5000 messages that wait/,
  ],
  ['queues one may not see', withDeployed({ queues: denied }), 'queues', 'unknown', /not authorized/],
  [
    'an alarm',
    withDeployed({ alarms: { found: [{ name: 'borealis-prod-outbox-age', reason: 'Threshold Crossed' }] } }),
    'alarms',
    'problem',
    /outbox-age is raised: Threshold Crossed/,
  ],
  [
    'functions that fail',
    { ...local, embedded: { ...embedded, functions: [{ name: 'f', invocations: 9, errors: 2 }] } },
    'functions',
    'warning',
    /f 2 of 9/,
  ],
  [
    'changes that wait',
    { ...local, embedded: { ...embedded, outstanding: 4_000 } },
    'functions',
    'warning',
    /4000 changes wait/,
  ],
  ['no agents', { ...healthy, agents: { found: [] } }, 'agents', 'warning', /no agent has registered/],
  [
    'one silent agent',
    { ...healthy, agents: { found: [agent, { ...agent, agentId: 'a-2', lastSeenAt: now - 600_000 }] } },
    'agents',
    'warning',
    /1 of 2 agents are silent: a-2 \(10 min\)/,
  ],
  [
    'a fleet that is silent',
    { ...healthy, agents: { found: [{ ...agent, lastSeenAt: undefined }] } },
    'agents',
    'problem',
    /1 of 1 agents are silent: a-1 \(never seen\)/,
  ],
  [
    'an old agent',
    { ...healthy, agents: { found: [{ ...agent, version: '0.0.8' }] } },
    'agents',
    'warning',
    /another version.*a-1 \(0\.0\.8\)/,
  ],
  ['agents one may not list', { ...healthy, agents: denied }, 'agents', 'unknown', /not authorized/],
];

describe('every illness', () => {
  it.each(illnesses)('%s is found, and something is to do', (_name, facts, check, level, message) => {
    const found = bad(facts);
    expect(found).toContainEqual(
      expect.objectContaining({ check, level, message: expect.stringMatching(message) }),
    );
    for (const { todo } of found) expect(todo?.length ?? 0).toBeGreaterThan(15);
  });

  it('is found alone', () => {
    for (const [name, facts] of illnesses) expect(bad(facts), name).toHaveLength(1);
  });

  it('names documents and entries of the runbook that exist', () => {
    const todos = illnesses.flatMap(([, facts]) => bad(facts).map(({ todo = '' }) => todo));
    const links = todos.flatMap((todo) => [...todo.matchAll(/docs\/([\w-]+)\.md(?:#([\w-]+))?/g)]);
    expect(links.length).toBeGreaterThan(8);
    for (const [, file, entry] of links) {
      expect(existsSync(`docs/${file}.md`), file).toBe(true);
      if (file === 'runbook' && entry) expect(runbookEntries()).toContain(entry);
      else if (entry) expect(readFileSync(`docs/${file}.md`, 'utf8').toLowerCase()).toContain(`# ${entry}`);
    }
  });

  it('does not flood: of a thousand silent agents five are named', () => {
    const agents = Array.from({ length: 1_000 }, (_, index) => ({
      ...agent,
      agentId: `a-${index}`,
      lastSeenAt: undefined,
    }));
    const [finding] = bad({ ...healthy, agents: { found: agents } });
    expect(finding?.message).toMatch(/^1000 of 1000 agents .*a-4 \(never seen\), and 995 more$/);
  });
});
