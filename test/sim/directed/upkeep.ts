// What keeps the tables right when a message is lost for good or an index lags, and bounds what is taken on.
import type { Strike } from '../world/strikes.ts';
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const service = jobOf('service', 2, taskOf({}));
const crashing = jobOf('crashing', 1, taskOf({ start: 0, run: 500, end: 'FAILED' }));
const stuck = jobOf('stuck', 1, taskOf({ start: 4 * 3600_000 }));
const wide = { cpuMilli: 2_500, ramMb: 64, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] };
const spread = jobOf('spread', 2, taskOf({}, { resources: wide }));
const many = jobOf('many', 202, taskOf({}));
const more = jobOf('more', 1, taskOf({}));

/** The record of the only task that was killed is given up, and with it the release of its room. */
const lostRelease: Strike = { site: 'stream delivery', about: '/service#0 KILLED', kind: 'drop' };

const killOne = [
  at(5_000, { kind: 'submit', job: service }),
  at(20_000, { kind: 'kill', job: 0, instances: [1, 1] }),
] as const;

export const upkeep: readonly DirectedScenario[] = [
  directedScenario({
    name: 'a release is lost for good',
    agents: agents(1),
    jobs: [service],
    steps: killOne,
    strikes: [lostRelease],
  }),
  directedScenario({
    name: 'a release fails and is tried again',
    agents: agents(1),
    jobs: [service],
    steps: killOne,
    strikes: [{ site: 'fanout Update', about: 'L#a0', kind: 'lostRequest' }],
  }),
  directedScenario({
    name: 'a release comes twice',
    agents: agents(1),
    jobs: [service],
    steps: killOne,
    strikes: [{ site: 'fanout Update', about: 'L#a0', kind: 'repeat' }],
  }),
  directedScenario({
    name: 'a task never comes up',
    jobs: [stuck],
    // Once somebody has restarted it nobody minds its end.
    steps: [at(5_000, { kind: 'submit', job: stuck }), at(15_000, { kind: 'restart', job: 0 })],
  }),
  directedScenario({
    name: 'two releases of one batch fail',
    jobs: [spread],
    steps: [at(5_000, { kind: 'submit', job: spread }), at(20_000, { kind: 'kill', job: 0 })],
    strikes: [
      // So that both ends are in one batch.
      { site: 'fanout PutEvents', from: 20_000, skip: 1, kind: 'hold', forMs: 5_000 },
      { site: 'fanout Update', about: 'L#a0', kind: 'lostRequest' },
      { site: 'fanout Update', about: 'L#a1', kind: 'lostRequest' },
    ],
  }),
  directedScenario({
    name: 'a task that keeps failing is held back',
    kind: 'calm',
    jobs: [crashing],
    steps: [at(5_000, { kind: 'submit', job: crashing })],
    calmAt: 180_000,
  }),
  directedScenario({
    name: 'a task is assigned just when the ledger of its agent is set right',
    agents: agents(1),
    jobs: [service],
    steps: killOne,
    strikes: [
      lostRelease,
      {
        site: 'sweeper TransactWrite',
        about: 'L#a0',
        kind: 'hold',
        meanwhile: [{ kind: 'add', job: 0, count: 1 }],
        until: { site: 'matcher TransactWrite', about: 'L#a0' },
      },
    ],
  }),
  directedScenario({
    name: 'the ledger of an agent is audited before the index shows a task that was just assigned to it',
    agents: agents(1),
    jobs: [service],
    // Each agent has its minute; that of a0 is the fourth.
    steps: [at(238_000, { kind: 'submit', job: service })],
    strikes: [
      { site: 'onagent index', kind: 'stale', forMs: 10_000 },
      { site: 'onagent index', kind: 'stale', forMs: 10_000 },
    ],
    calmAt: 300_000,
  }),
  directedScenario({
    name: 'an answer is lost and the request comes again',
    jobs: [service],
    steps: [at(5_000, { kind: 'submit', job: service }), at(20_000, { kind: 'add', job: 0, count: 1 })],
    strikes: [{ site: 'users call', about: '/instances', kind: 'lostAnswer' }],
  }),
  directedScenario({
    name: 'more is submitted while too much waits',
    agents: [],
    jobs: [many, more],
    steps: [at(2_000, { kind: 'submit', job: many }), at(90_000, { kind: 'submit', job: more })],
  }),
];
