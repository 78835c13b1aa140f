// What happens to machines at a bad moment, or to two at once.
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const service = jobOf('service', 2, taskOf({}));

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
];
