// What agents report is late for longer than any deadline, while their heartbeats are in time: no task may be given up that
// runs.
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const minutes = (count: number): number => count * 60_000;
const service = jobOf('service', 3, taskOf({ start: 2_000 }));
const slow = jobOf('slow', 2, taskOf({ start: 200_000 }));

/** Roll calls have been in time for a while when it begins. */
const begins = minutes(8);
const lasts = minutes(9);

export const lateness: readonly DirectedScenario[] = [
  directedScenario({
    name: 'reports are late while heartbeats are in time',
    kind: 'outage',
    agents: agents(3),
    jobs: [service, slow],
    steps: [
      // Its tasks come up while it lasts, after most of the time they have for it.
      at(begins - 90_000, { kind: 'submit', job: slow }),
      at(begins, { kind: 'outage', what: 'intake', forMs: lasts }),
      at(begins + 1_000, { kind: 'submit', job: service }),
    ],
    calmAt: begins + lasts + minutes(1),
  }),
];
