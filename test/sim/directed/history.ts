// The end of history (docs/adr/0016-pruning.md): what has ended goes, what must stay stays, and a name may be used again.
import type { JobSubmission } from '../../../shared/model/job.ts';
import { at, type Behaviour, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const batch = (behaviour: Behaviour) => taskOf(behaviour, { service: false, maxTaskFailures: -1 });
const once = (end: 'FINISHED' | 'FAILED') => taskOf({ start: 0, run: 1_000, end }, { service: false });

const every = [
  jobOf('finished', 4, once('FINISHED')),
  jobOf('failed', 4, once('FAILED')),
  jobOf('killed', 2, taskOf({ start: 0 })),
  jobOf('lost', 1, taskOf({ start: 0, kill: 10 * minuteMs })),
];
const submits = every.map((job, index) => at(6_000 + index * 1_000, { kind: 'submit', job }));
const kills = [2, 3].map((job) => at(20_000, { kind: 'kill', job }));
const resubmits = [0, 2, 3].map((job) => at(80 * minuteMs, { kind: 'resubmit', job }));

const killed = jobOf('killed', 2, taskOf({ start: 0 }));

/** One instance is done at once, the other fails again and again, so seldom that it is not held back. */
const looping: JobSubmission = {
  ...jobOf('looping', 1, batch({ start: 0, run: 310_000, end: 'FAILED' })),
  configs: [
    { instances: [[0, 0]], task: once('FINISHED') },
    { instances: [[1, 1]], task: batch({ start: 0, run: 310_000, end: 'FAILED' }) },
  ],
};

export const history: readonly DirectedScenario[] = [
  directedScenario({
    name: 'jobs end in every way there is, go, and most come again while some of their rows are still there',
    kind: 'history',
    reaches: ['FINISHED', 'FAILED', 'KILLED', 'LOST'].map((end) => `${end}>DELETED`),
    jobs: every,
    steps: [...submits, ...kills, ...resubmits],
    history: { keptMs: hourMs, maxPerJob: 100, maxLateMs: 40 * minuteMs },
    calmAt: 105 * minuteMs,
  }),
  directedScenario({
    name: 'a job is killed again when it has ended, and goes all the same',
    kind: 'history',
    reaches: ['KILLED>DELETED'],
    jobs: [killed],
    steps: [
      at(6_000, { kind: 'submit', job: killed }),
      at(20_000, { kind: 'kill', job: 0 }),
      at(minuteMs, { kind: 'kill', job: 0 }),
    ],
    history: { keptMs: hourMs, maxPerJob: 100, maxLateMs: minuteMs },
    calmAt: 80 * minuteMs,
  }),
  tooMuch(15, 'of its job is more than is kept'),
  tooMuch(3, 'of the last hour alone is more than is kept'),
];

function tooMuch(maxPerJob: number, what: string): DirectedScenario {
  return directedScenario({
    name: `an instance fails so often that the history ${what}`,
    kind: 'history',
    reaches: ['FAILED>DELETED'],
    jobs: [looping],
    steps: [at(6_000, { kind: 'submit', job: looping })],
    history: { keptMs: 48 * hourMs, maxPerJob, maxLateMs: minuteMs },
    calmAt: 110 * minuteMs,
  });
}
