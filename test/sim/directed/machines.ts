// What happens to machines at a bad moment, or to two at once.
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const service = jobOf('service', 2, taskOf({}));
const processor = { cpuMilli: 1_000, ramMb: 64, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] };
const long = jobOf('long', 3, taskOf({}, { resources: processor }));
const short = jobOf('short', 1, taskOf({ run: 10_000 }, { resources: processor, service: false }));
const next = jobOf('next', 1, taskOf({}, { resources: processor }));

/** Its process is gone, its tasks run on. */
const silent = { kind: 'agentCrash', agent: 0, forMs: 3_600_000 } as const;
const back = { kind: 'agentCrash', agent: 0, forMs: 100 } as const;

export const machines: readonly DirectedScenario[] = [
  directedScenario({
    name: 'a second machine takes the id of an agent that is at work',
    agents: agents(1),
    jobs: [service],
    steps: [
      at(5_000, { kind: 'submit', job: service }),
      at(20_000, { kind: 'twin', agent: 0, forMs: 300_000 }),
    ],
    calmAt: 360_000,
  }),
  directedScenario({
    name: 'the room of a task that has ended is long in coming free, and another task waits for it',
    kind: 'calm',
    agents: agents(1),
    jobs: [long, short, next],
    steps: [
      at(4_000, { kind: 'submit', job: long }),
      at(4_500, { kind: 'submit', job: short }),
      at(6_000, { kind: 'submit', job: next }),
    ],
    strikes: [{ site: 'fanout Update', about: 'L#a0', kind: 'hold', forMs: 3_000 }],
  }),
  directedScenario({
    name: 'an agent that is empty registers again',
    jobs: [service],
    steps: [
      at(4_000, { kind: 'submit', job: service }),
      at(10_000, { kind: 'drain', agent: 0, deadlineSecs: 10, percentage: 0, settledSecs: 0 }),
      at(70_000, { kind: 'agentCrash', agent: 0, forMs: 2_000 }),
    ],
  }),
  directedScenario({
    name: 'an agent that was lost for long returns just when its queue is deleted',
    agents: agents(1),
    jobs: [service],
    steps: [at(5_000, { kind: 'submit', job: service }), at(20_000, silent)],
    strikes: [{ site: 'fanout DeleteQueue', about: 'agent-a0', kind: 'crashAfter', meanwhile: [back] }],
    calmAt: 1_800_000,
  }),
  directedScenario({
    name: 'an agent that was lost for long registers just when it is to be forgotten',
    agents: agents(1),
    jobs: [service],
    steps: [at(5_000, { kind: 'submit', job: service }), at(20_000, silent)],
    strikes: [
      {
        site: 'rollCall TransactWrite',
        about: 'L#a0',
        skip: 1,
        kind: 'hold',
        meanwhile: [back],
        until: { site: 'agentEvents TransactWrite', about: 'A#a0' },
      },
    ],
    calmAt: 1_800_000,
  }),
];
