// A job under an update (design D6): the job names the update, which keeps everybody else from changing it, and its
// desired state is at every moment what the update's progress says, so that reconcile and update never disagree. Each
// function answers the job as it must be written together with the update's record.
import { BorealisError } from '../../lib/errors.ts';
import {
  containsInstance,
  intersectInstances,
  subtractInstances,
  toInstanceRanges,
} from '../../model/instance-ranges.ts';
import type { DesiredRange, Job } from '../../model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../model/job-key.ts';
import { isActive } from '../../model/task.ts';
import { type ConfiguredInstances, isTerminalUpdate, type UpdateRecord } from '../../model/update.ts';
import {
  checkNoUpdate,
  desiredInstances,
  maxDesiredRanges,
  needsReconcile,
  tidyDesired,
} from '../job/desired.ts';
import { type InstanceView, newestTask } from './newest-task.ts';
import { instancesOf } from './order.ts';
import { configsByNow } from './progress.ts';

export interface UpdateStart {
  /** As stored; undefined = there is none yet, and the update creates it. */
  readonly job: Job | undefined;
  readonly update: UpdateRecord;
  /** Name of the installation. */
  readonly cluster: string;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * The job as it is written when an update starts. CONFLICT if it has another update (its id is in the details) or its
 * last change is still being carried out; INVALID_REQUEST if the job would be too large for its row.
 */
export function jobUnderUpdate({ job, update, cluster, now }: UpdateStart): Job {
  if (job) checkStartable(job);
  const base = job ?? emptyJob(update, cluster, now);
  const span = spanOf([...instancesOf(update.desired), ...instancesOf(update.initial)]);
  const started = {
    ...(job ? bumped(base, now) : base),
    instanceSpan: Math.max(base.instanceSpan, span),
    updateId: update.updateId,
  };
  checkSize(started, update);
  return started;
}

function checkStartable(job: Job): void {
  checkNoUpdate(job);
  if (!needsReconcile(job)) return;
  throw new BorealisError(
    'CONFLICT',
    `the last change of job ${jobPath(job)} is still being carried out; nothing was started. Try again in a moment.`,
    { details: { specVersion: job.specVersion, reconciledVersion: job.reconciledVersion } },
  );
}

function emptyJob({ user, ...update }: UpdateRecord, cluster: string, now: number): Job {
  const { role, environment, name }: JobKey = update;
  const versions = { specVersion: 1, reconciledVersion: 1 };
  const lists = { desired: [], restarts: [], refills: [], instanceSpan: 0 };
  return {
    role,
    environment,
    name,
    cluster,
    ...versions,
    ...lists,
    createdBy: user,
    createdAt: now,
    updatedAt: now,
  };
}

/** The end of the way forward must fit the row; on the way there it may be in up to as many pieces again. */
function checkSize(job: Job, update: UpdateRecord): void {
  const { length } = tidyDesired([
    ...withoutInstances(job.desired, affected(update)),
    ...update.desired.flatMap(({ configId, instances }) =>
      instances.map((range): DesiredRange => ({ instances: range, configId, since: job.specVersion })),
    ),
  ]);
  if (length <= maxDesiredRanges) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    `job ${jobPath(job)} would consist of ${length} separate instance ranges, at most ${maxDesiredRanges} are possible. Nothing was started. Update contiguous instances.`,
  );
}

/**
 * The job after a step of its update; the very object that was given if nothing changes or another update has taken
 * over. An ended update lets the job go; what it had taken down and not replaced is asked of reconcile. `spared`: what
 * `sparedInstances` answers if the update has ended; they stay what they are.
 */
export function followUpdate(
  job: Job,
  update: UpdateRecord,
  now: number,
  spared: readonly ConfiguredInstances[] = [],
): Job {
  if (job.updateId !== update.updateId) return job;
  const desired = withConfigs(followedDesired(job, update), spared);
  const ended = isTerminalUpdate(update.status);
  if (!ended && sameDesired(desired, job.desired)) return job;
  const { updateId: _update, ...rest } = job;
  const next: Job = { ...bumped(ended ? rest : job, now), desired };
  const left = ended ? subtractInstances(leftDown(next, update), instancesOf(spared)) : [];
  if (left.length === 0) return next;
  const refill = { instances: left, version: next.specVersion };
  return { ...next, reconciledVersion: job.reconciledVersion, refills: [...job.refills, refill] };
}

/**
 * Instances whose turn it was when the update ended, and that it had left alone until then, with the configs they run:
 * their take-down would have had too many down at once. Of what is being taken down it is not known how it ends.
 */
export function sparedInstances(
  { progress }: UpdateRecord,
  views: readonly InstanceView[],
): ConfiguredInstances[] {
  const turns = subtractInstances(
    progress.working.flatMap(({ instances }) => instances),
    progress.taken,
  );
  const running = views.flatMap(({ instance, tasks }) => {
    const newest = newestTask(tasks);
    const isLeft = newest !== undefined && isActive(newest.state) && newest.state !== 'KILLING';
    return isLeft && containsInstance(turns, instance) ? [{ instance, configId: newest.configId }] : [];
  });
  return [...Map.groupBy(running, ({ configId }) => configId)].map(([configId, same]) => ({
    configId,
    instances: toInstanceRanges(same.map(({ instance }) => instance)),
  }));
}

/** Those that are desired get these configs; the others stay as they are. */
function withConfigs(
  desired: readonly DesiredRange[],
  configs: readonly ConfiguredInstances[],
): DesiredRange[] {
  const changed = configs.flatMap(({ configId, instances }) =>
    desired.flatMap((range) =>
      intersectInstances([range.instances], instances).map((part) => ({
        ...range,
        instances: part,
        configId,
      })),
    ),
  );
  return tidyDesired([...withoutInstances(desired, instancesOf(configs)), ...changed]);
}

function followedDesired(job: Job, update: UpdateRecord): DesiredRange[] {
  const kept = withoutInstances(job.desired, affected(update));
  const followed = configsByNow(update).flatMap(({ configId, instances }) => {
    const known = job.desired.flatMap((range) =>
      intersectInstances([range.instances], instances).map((part) => ({
        ...range,
        instances: part,
        configId,
      })),
    );
    // Not newer than what is reconciled: the update creates them, not reconcile.
    const added = subtractInstances(instances, desiredInstances(job)).map(
      (part): DesiredRange => ({ instances: part, configId, since: job.specVersion }),
    );
    return [...known, ...added];
  });
  return tidyDesired([...kept, ...followed]);
}

function affected({ initial, desired }: UpdateRecord): InstanceRange[] {
  return instancesOf([...initial, ...desired]);
}

function withoutInstances(desired: readonly DesiredRange[], gone: readonly InstanceRange[]): DesiredRange[] {
  return desired.flatMap((range) =>
    subtractInstances([range.instances], gone).map((instances) => ({ ...range, instances })),
  );
}

function sameDesired(one: readonly DesiredRange[], other: readonly DesiredRange[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Wanted instances that the update may have taken down without having put anything in their place. */
function leftDown(job: Job, { progress }: UpdateRecord): InstanceRange[] {
  const touched = [...progress.working.flatMap(({ instances }) => instances), ...progress.taken];
  return intersectInstances(touched, desiredInstances(job));
}

/** A change that asks nothing of reconcile. */
function bumped(job: Job, now: number): Job {
  const specVersion = job.specVersion + 1;
  const reconciledVersion = needsReconcile(job) ? job.reconciledVersion : specVersion;
  return { ...job, specVersion, reconciledVersion, updatedAt: Math.max(now, job.updatedAt) };
}

function spanOf(ranges: readonly InstanceRange[]): number {
  return ranges.reduce((span, [, high]) => Math.max(span, high + 1), 0);
}
