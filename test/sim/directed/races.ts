// Two who change the same thing: one has read it and has not written yet when the other does.
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const failing = jobOf('failing', 1, taskOf({ run: 5_000, end: 'FAILED', kill: 20_000 }));
const batch = jobOf('batch', 2, taskOf({ run: 4_000 }, { service: false }));
const single = jobOf('single', 1, taskOf({}));
const service = jobOf('service', 2, taskOf({}));
const drainAll = { kind: 'drain', agent: 0, deadlineSecs: 60, percentage: 0, settledSecs: 0 } as const;

export const races: readonly DirectedScenario[] = [
  directedScenario({
    name: 'a user kills a task whose end is about to be followed by a successor',
    jobs: [failing],
    steps: [at(2_000, { kind: 'submit', job: failing })],
    strikes: [
      {
        site: 'agentEvents TransactWrite',
        about: '/failing#',
        kind: 'hold',
        meanwhile: [{ kind: 'kill', job: 0 }],
        until: { site: 'jobWorker Update', about: '/failing#' },
      },
    ],
  }),
  directedScenario({
    name: 'a user kills a task whose coming up is about to be noted',
    jobs: [single],
    steps: [at(6_000, { kind: 'submit', job: single })],
    strikes: [
      {
        site: 'agentEvents Update',
        about: '/single#',
        kind: 'hold',
        meanwhile: [{ kind: 'kill', job: 0 }],
        until: { site: 'jobWorker Update', about: '/single#' },
      },
    ],
  }),
  directedScenario({
    name: 'a matcher that was given up assigns a task which another one has assigned since',
    jobs: [single],
    steps: [at(6_000, { kind: 'submit', job: single })],
    strikes: [
      {
        site: 'matcher TransactWrite',
        about: 'L#a0',
        kind: 'hold',
        // Now the other agent suits it better.
        meanwhile: [{ kind: 'resize', agent: 1, cpuMilli: 500 }],
        until: { site: 'matcher TransactWrite', about: 'L#a1' },
        forMs: 300_000,
      },
    ],
    calmAt: 300_000,
  }),
  directedScenario({
    name: 'a job is noted as reconciled just when a user has killed it',
    jobs: [service],
    steps: [at(2_000, { kind: 'submit', job: service })],
    strikes: [
      {
        site: 'jobWorker Put',
        about: '/service',
        kind: 'hold',
        meanwhile: [{ kind: 'kill', job: 0 }],
        until: { site: 'api TransactWrite', about: '/service' },
      },
    ],
  }),
  directedScenario({
    name: 'batch work ends before it is noted that it was made',
    jobs: [batch],
    steps: [at(2_000, { kind: 'submit', job: batch })],
    strikes: [{ site: 'jobWorker Put', about: '/batch', kind: 'crashBefore' }],
    calmAt: 300_000,
  }),
  directedScenario({
    name: 'an agent is emptied between plan and assignment',
    agents: agents(1),
    jobs: [service],
    steps: [at(8_000, { kind: 'submit', job: service })],
    strikes: [
      {
        site: 'matcher TransactWrite',
        kind: 'hold',
        meanwhile: [drainAll],
        until: { site: 'api TransactWrite', about: 'A#a0' },
      },
    ],
  }),
  directedScenario({
    name: 'an agent is emptied while it registers again',
    jobs: [service],
    steps: [
      at(2_000, { kind: 'submit', job: service }),
      at(20_000, { kind: 'agentCrash', agent: 0, forMs: 2_000 }),
    ],
    strikes: [
      {
        site: 'agentEvents TransactWrite',
        about: 'A#a0',
        from: 20_000,
        kind: 'hold',
        meanwhile: [drainAll],
        until: { site: 'api TransactWrite', about: 'A#a0' },
      },
    ],
  }),
];
