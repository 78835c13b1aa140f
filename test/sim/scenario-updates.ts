// What a seed asks of rolling updates: what shall become of a job, how carefully, and who interferes when.
import type { JobSubmission } from '../../shared/model/job.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { UpdateSettingsInput, UpdateStrategy } from '../../shared/model/update.ts';
import type { Random } from './world/random.ts';

type Change =
  | { readonly kind: 'replace'; readonly configs: JobSubmission['configs'] }
  | { readonly kind: 'restart' }
  | { readonly kind: 'add'; readonly count: number }
  | { readonly kind: 'remove'; readonly count: number };

export type UpdateAction =
  | {
      readonly kind: 'update';
      readonly job: number;
      readonly change: Change;
      readonly settings: UpdateSettingsInput;
    }
  | {
      readonly kind: 'updateCall';
      readonly job: number;
      readonly call: 'pause' | 'resume' | 'rollback' | 'hold' | 'pulse';
    }
  /** Somebody stops an execution of the update workflow, or starts one a second time. */
  | { readonly kind: 'stopExecution' | 'startExecution' };

/** An update of the job, half of the time to another config, some of which are no good. */
export function makeUpdate(random: Random, job: number, { configs }: JobSubmission): UpdateAction {
  const span = configs.reduce(
    (most, { instances }) => Math.max(most, ...instances.map(([, high]) => high + 1)),
    1,
  );
  return {
    kind: 'update',
    job,
    change: makeChange(random, span, configs),
    settings: makeSettings(random, span),
  };
}

function makeChange(random: Random, span: number, configs: JobSubmission['configs']): Change {
  const which = random.below(8);
  if (which === 0) return { kind: 'restart' };
  if (which === 1) return { kind: 'add', count: random.between(1, 3) };
  if (which === 2 && span > 1) return { kind: 'remove', count: random.between(1, span - 1) };
  const old = (configs[0] as JobSubmission['configs'][number]).task;
  const size = Math.max(1, span + random.pick([-2, 0, 0, 0, 1, 2]));
  const task = nextVersion(random, old);
  if (size < 2 || random.chance(0.7))
    return { kind: 'replace', configs: [{ instances: [[0, size - 1]], task }] };
  const cut = random.between(1, size - 1);
  return {
    kind: 'replace',
    configs: [
      { instances: [[0, cut - 1]], task },
      { instances: [[cut, size - 1]], task: random.chance(0.5) ? old : nextVersion(random, old) },
    ],
  };
}

function nextVersion(random: Random, old: TaskConfig): TaskConfig {
  const { start: _start, run: _run, end: _end, ...rest } = old.metadata;
  const version = String(random.below(1_000_000));
  const quality = random.next();
  const start = String(random.pick([0, 500, 5_000]));
  // Most are good; some end soon, some never come up.
  if (quality < 0.7) return { ...old, metadata: { ...rest, start, version } };
  if (quality < 0.9) {
    return {
      ...old,
      metadata: { ...rest, start, run: String(random.between(500, 40_000)), end: 'FAILED', version },
    };
  }
  const cpuMilli = random.pick([900, 60_000]);
  return { ...old, resources: { ...old.resources, cpuMilli }, metadata: { ...rest, start, version } };
}

function makeSettings(random: Random, span: number): UpdateSettingsInput {
  return {
    strategy: makeStrategy(random),
    minWaitInInstanceRunningMs: random.pick([0, 5_000, 20_000, 45_000]),
    maxPerInstanceFailures: random.pick([0, 0, 1, 2]),
    maxFailedInstances: span > 1 ? random.pick([0, 0, 1]) : 0,
    rollbackOnFailure: random.chance(0.8),
    blockIfNoPulsesAfterMs: random.chance(0.15) ? 60_000 : 0,
    ...(random.chance(0.5) && { placementDeadlineMs: random.pick([30_000, 120_000]) }),
    onPlacementDeadline: random.pick(['pause', 'rollback'] as const),
  };
}

function makeStrategy(random: Random): UpdateStrategy {
  const groupSize = random.pick([1, 1, 2, 3]);
  const autoPause = random.chance(0.15);
  switch (random.below(3)) {
    case 0:
      return { kind: 'queue', groupSize };
    case 1:
      return { kind: 'batch', groupSize, autoPause };
    default:
      return { kind: 'varBatch', groupSizes: [1, random.between(1, 3), groupSize], autoPause };
  }
}

/** Somebody interferes with an update, or with what drives it. */
export function makeUpdateCall(random: Random, job: number): UpdateAction {
  const call = random.pick(['pause', 'resume', 'resume', 'rollback', 'hold', 'pulse'] as const);
  const what = random.below(10);
  if (what === 0) return { kind: 'stopExecution' };
  if (what === 1) return { kind: 'startExecution' };
  return { kind: 'updateCall', job, call };
}
