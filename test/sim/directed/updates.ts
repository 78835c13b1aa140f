// Rolling updates that are interfered with at a bad moment.
import type { Action } from '../scenario.ts';
import { agents, at, type DirectedScenario, directedScenario, jobOf, taskOf } from './build.ts';

const slow = jobOf('slow', 3, taskOf({ start: 500, kill: 20_000 }));

/** Another version of the same job, one instance after the other. */
function replacement(minWaitInInstanceRunningMs: number): Action {
  const { configs } = jobOf('slow', 3, taskOf({ start: 500, kill: 20_000 }, { priority: 5 }));
  const settings = { strategy: { kind: 'queue', groupSize: 1 }, minWaitInInstanceRunningMs } as const;
  return { kind: 'update', job: 0, change: { kind: 'replace', configs }, settings };
}
const replaceAll = replacement(5_000);
const replaceSlowly = replacement(200_000);

/** One instance of the new version fails at once, which is borne. */
const oneBad: Action = {
  kind: 'update',
  job: 0,
  change: {
    kind: 'replace',
    configs: [
      { instances: [[0, 0]], task: taskOf({ start: 500, run: 500, end: 'FAILED' }) },
      { instances: [[1, 2]], task: taskOf({ start: 500 }) },
    ],
  },
  settings: {
    strategy: { kind: 'queue', groupSize: 1 },
    minWaitInInstanceRunningMs: 5_000,
    maxFailedInstances: 1,
  },
};

/** One fits on an agent. */
const resources = { cpuMilli: 3_000, ramMb: 64, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] };
const large = jobOf('large', 3, taskOf({ start: 500 }, { resources }));
const replaceLarge: Action = {
  kind: 'update',
  job: 0,
  change: { kind: 'replace', configs: jobOf('large', 3, taskOf({ start: 600 }, { resources })).configs },
  settings: { strategy: { kind: 'queue', groupSize: 1 }, minWaitInInstanceRunningMs: 200_000 },
};

export const updates: readonly DirectedScenario[] = [
  directedScenario({
    name: 'an update is given up while the instance it took down still ends',
    jobs: [slow],
    steps: [
      at(2_000, { kind: 'submit', job: slow }),
      at(20_000, replaceAll),
      at(30_000, { kind: 'updateCall', job: 0, call: 'hold' }),
    ],
  }),
  directedScenario({
    name: 'an update begins while killed instances still end',
    jobs: [slow],
    steps: [
      at(2_000, { kind: 'submit', job: slow }),
      at(20_000, { kind: 'kill', job: 0, instances: [2, 2] }),
      at(25_000, replaceAll),
    ],
  }),
  directedScenario({
    name: 'a user kills an instance of a job whose update is about to begin',
    jobs: [slow],
    steps: [at(2_000, { kind: 'submit', job: slow }), at(20_000, replaceAll)],
    strikes: [
      {
        site: 'api TransactWrite',
        about: 'UPDATE#',
        kind: 'hold',
        meanwhile: [{ kind: 'kill', job: 0, instances: [2, 2] }],
        until: { site: 'api TransactWrite', about: 'JOB#prod/slow' },
      },
    ],
  }),
  directedScenario({
    name: 'what an execution waited with is forgotten when it already waits with something else',
    jobs: [slow],
    steps: [at(2_000, { kind: 'submit', job: slow }), at(20_000, replaceAll)],
    strikes: [
      {
        site: 'jobWorker Delete',
        about: 'CALLBACK#',
        kind: 'hold',
        until: { site: 'jobWorker Put', about: 'CALLBACK#' },
      },
    ],
  }),
  directedScenario({
    name: 'an update bears one instance that fails',
    kind: 'update',
    jobs: [slow],
    steps: [at(2_000, { kind: 'submit', job: slow }), at(20_000, oneBad)],
    calmAt: 240_000,
  }),
  directedScenario({
    name: 'the execution of an update is stopped',
    jobs: [slow],
    steps: [
      at(2_000, { kind: 'submit', job: slow }),
      at(20_000, replaceSlowly),
      at(50_000, { kind: 'stopExecution' }),
    ],
    calmAt: 60_000,
  }),
  directedScenario({
    name: 'an update is given up while its next instance may not be taken down',
    agents: agents(3),
    jobs: [large],
    steps: [
      at(6_000, { kind: 'submit', job: large }),
      at(20_000, replaceLarge),
      at(30_000, { kind: 'gone', agent: 2 }),
      at(400_000, { kind: 'updateCall', job: 0, call: 'hold' }),
    ],
    calmAt: 420_000,
  }),
];
