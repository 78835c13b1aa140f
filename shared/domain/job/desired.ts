// Edits of a job as desired state (design D6). Each takes the job as read and returns the job as it must be written on
// condition that specVersion is still what was read; nothing here touches tasks: reconcile makes them follow.
// Refusals are BorealisErrors INVALID_REQUEST; then nothing is to be written.
import { BorealisError } from '../../lib/errors.ts';
import {
  containsInstance,
  countInstances,
  formatInstances,
  intersectInstances,
  normaliseInstances,
  overlappingInstances,
  subtractInstances,
} from '../../model/instance-ranges.ts';
import { type DesiredRange, type Job, type JobSubmission, maxInstances } from '../../model/job.ts';
import { type InstanceRange, jobPath } from '../../model/job-key.ts';

/** The row of a job is one item of at most 400 KB; these bounds keep it under that whatever is asked for. */
export const maxDesiredRanges = 1000;
const maxRestartRanges = 250;
const maxWaitingRestarts = 20;

export interface NewJob {
  readonly submission: JobSubmission;
  /** Name of the installation. */
  readonly cluster: string;
  readonly user: string;
  /** Epoch ms. */
  readonly now: number;
  /** Config id of each entry of `submission.configs`, in order. */
  readonly configIds: readonly string[];
  /**
   * The stored job of this key, if there is one: versions and generations go on from it. `ended`: the caller has seen
   * that none of its tasks is active.
   */
  readonly previous?: { readonly job: Job; readonly ended: boolean } | undefined;
}

/** The job a submission asks for. JOB_EXISTS unless the job of this key has ended or every instance was killed. */
export function newJob(input: NewJob): Job {
  const { submission, cluster, now, previous } = input;
  const { role, environment, name } = submission;
  if (previous) checkNoUpdate(previous.job);
  if (submission.cluster !== undefined && submission.cluster !== cluster) {
    throw refused(`the job is for cluster ${submission.cluster}, this is ${cluster}`, 'Nothing was stored.');
  }
  const old = previous?.job;
  if (old && old.desired.length > 0 && !previous.ended) {
    throw new BorealisError(
      'JOB_EXISTS',
      `job ${jobPath(old)} exists and has active tasks; nothing was changed. Kill it first, or choose another name.`,
    );
  }
  const asked = submission.configs.flatMap(({ instances }) => instances);
  checkAskedInstances(asked);
  const version = (old?.specVersion ?? 0) + 1;
  const desired = submission.configs.flatMap(({ instances }, index) =>
    instances.map((range): DesiredRange => {
      return { instances: range, configId: configIdAt(input.configIds, index), since: version };
    }),
  );
  return {
    role,
    environment,
    name,
    cluster,
    specVersion: version,
    reconciledVersion: old?.reconciledVersion ?? 0,
    desired: checkedDesired(desired),
    restarts: [],
    refills: [],
    instanceSpan: Math.max(old?.instanceSpan ?? 0, spanOf(asked)),
    ...(old?.killMessage !== undefined && { killMessage: old.killMessage }),
    createdBy: input.user,
    createdAt: now,
    updatedAt: now,
  };
}

function configIdAt(configIds: readonly string[], index: number): string {
  const configId = configIds[index];
  if (configId !== undefined) return configId;
  throw new BorealisError(
    'INTERNAL',
    `no config id for entry ${index} of the submission; nothing was stored`,
  );
}

function checkAskedInstances(asked: readonly InstanceRange[]): void {
  const reversed = asked.find(([low, high]) => high < low);
  if (reversed) {
    const [low, high] = reversed;
    throw refused(`instance range ${low}-${high} is reversed`, `Write ${high}-${low}. Nothing was stored.`);
  }
  const tooLarge = asked.find(([, high]) => high >= maxInstances);
  if (tooLarge) {
    throw refused(
      `instance ${tooLarge[1]} is too large`,
      `The largest instance of a job is ${maxInstances - 1}. Nothing was stored.`,
    );
  }
  const twice = overlappingInstances(asked);
  if (twice.length > 0) {
    throw refused(
      `instances ${clip(formatInstances(twice))} are named more than once`,
      'Give each instance one config. Nothing was stored.',
    );
  }
}

/**
 * Removes instances from the desired state. Those that aren't desired are skipped; if none is, the same job object is
 * returned and there is nothing to write ("No tasks to kill"), so repeating a kill is harmless.
 */
export function killInstances(
  job: Job,
  ranges: readonly InstanceRange[] | 'all',
  message: string,
  now: number,
): Job {
  const removed = ranges === 'all' ? desiredInstances(job) : normaliseInstances(ranges);
  if (intersectInstances(desiredInstances(job), removed).length === 0) return job;
  const desired = job.desired.flatMap((range) =>
    subtractInstances([range.instances], removed).map((instances) => ({ ...range, instances })),
  );
  return { ...edited(job, now), desired: checkedDesired(desired), killMessage: message };
}

/** Adds `count` instances that run the config of instance `template`, numbered on from the highest desired one. */
export function addInstances(job: Job, count: number, template: number, now: number): Job {
  if (!Number.isInteger(count) || count < 1) {
    throw refused(`count must be a whole number from 1, not ${count}`, 'The job is unchanged.');
  }
  const model = job.desired.find(({ instances }) => containsInstance([instances], template));
  if (!model) {
    throw refused(
      `instance ${template} is not part of job ${jobPath(job)}, so its config cannot be copied`,
      `Name one of ${clip(formatInstances(desiredInstances(job))) || '(no instances)'}. The job is unchanged.`,
    );
  }
  const first = spanOf(desiredInstances(job));
  const last = first + count - 1;
  if (last >= maxInstances) {
    throw refused(
      `adding ${count} instances would reach instance ${last}`,
      `The largest instance of a job is ${maxInstances - 1}. The job is unchanged.`,
    );
  }
  const next = edited(job, now);
  const added: DesiredRange = {
    instances: [first, last],
    configId: model.configId,
    since: next.specVersion,
  };
  return {
    ...next,
    desired: checkedDesired([...job.desired, added]),
    instanceSpan: Math.max(job.instanceSpan, last + 1),
  };
}

/**
 * Asks for a restart of what runs now in the given instances. All must be desired; whether each has an active task is
 * for the caller to check, who knows the tasks.
 */
export function restartInstances(
  job: Job,
  ranges: readonly InstanceRange[],
  message: string,
  now: number,
): Job {
  const instances = normaliseInstances(ranges);
  const strangers = subtractInstances(instances, desiredInstances(job));
  if (instances.length === 0 || strangers.length > 0) {
    const named = instances.length === 0 ? 'no instances are named' : undefined;
    throw refused(
      named ?? `instances ${clip(formatInstances(strangers))} are not part of job ${jobPath(job)}`,
      `It has ${clip(formatInstances(desiredInstances(job))) || 'none'}. Nothing is restarted.`,
    );
  }
  if (instances.length > maxRestartRanges) {
    throw refused(
      `${instances.length} separate ranges are too many for one restart`,
      `Restart at most ${maxRestartRanges} at once. Nothing is restarted.`,
    );
  }
  const next = edited(job, now);
  if (next.restarts.length >= maxWaitingRestarts) {
    throw new BorealisError(
      'THROTTLED',
      `${next.restarts.length} restarts of job ${jobPath(job)} are still being carried out; nothing more is restarted. Try again in a while.`,
    );
  }
  const request = { instances, requestedAt: now, version: next.specVersion, message };
  return { ...next, restarts: [...next.restarts, request] };
}

/**
 * Notes that everything up to spec version `version` is carried out. Not a change of what is desired, so specVersion
 * stays; an older version than the one noted changes nothing.
 */
export function markReconciled(job: Job, version: number): Job {
  const reconciledVersion = Math.max(job.reconciledVersion, Math.min(version, job.specVersion));
  if (reconciledVersion === job.reconciledVersion) return job;
  return {
    ...job,
    reconciledVersion,
    restarts: job.restarts.filter((restart) => restart.version > reconciledVersion),
    refills: job.refills.filter((refill) => refill.version > reconciledVersion),
  };
}

/** CONFLICT, with the update's id, if the job has an active update: only that changes it (spec/updates.md section 11). */
export function checkNoUpdate(job: Job): void {
  if (job.updateId === undefined) return;
  throw new BorealisError(
    'CONFLICT',
    `job ${jobPath(job)} is being updated by ${job.updateId}; nothing was changed. Wait for it, or abort it or roll it back.`,
    { details: { updateId: job.updateId } },
  );
}

/** Every desired instance, whatever config it runs. */
export function desiredInstances(job: Pick<Job, 'desired'>): InstanceRange[] {
  return normaliseInstances(job.desired.map(({ instances }) => instances));
}

/** How many instances the job should have. */
export function desiredCount(job: Pick<Job, 'desired'>): number {
  return countInstances(desiredInstances(job));
}

/** Are creations, kills or restarts of the newest spec version still to be carried out? */
export function needsReconcile(job: Pick<Job, 'specVersion' | 'reconciledVersion'>): boolean {
  return job.reconciledVersion < job.specVersion;
}

function edited(job: Job, now: number): Job {
  checkNoUpdate(job);
  return {
    ...job,
    specVersion: job.specVersion + 1,
    restarts: job.restarts.filter(({ version }) => version > job.reconciledVersion),
    refills: job.refills.filter(({ version }) => version > job.reconciledVersion),
    updatedAt: Math.max(now, job.updatedAt),
  };
}

/** Sorted; touching ranges of the same config and version merged; refused if there are too many to store in one row. */
function checkedDesired(ranges: readonly DesiredRange[]): DesiredRange[] {
  const merged = tidyDesired(ranges);
  if (merged.length > maxDesiredRanges) {
    throw refused(
      `the job would consist of ${merged.length} separate instance ranges`,
      `At most ${maxDesiredRanges} are possible; use contiguous numbers. Nothing was changed.`,
    );
  }
  return merged;
}

/** The same desired state, sorted, with touching ranges of the same config and version merged. */
export function tidyDesired(ranges: readonly DesiredRange[]): DesiredRange[] {
  const merged: DesiredRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.instances[0] - b.instances[0])) {
    const last = merged.at(-1);
    const touches = last !== undefined && last.instances[1] + 1 === range.instances[0];
    if (touches && last.configId === range.configId && last.since === range.since) {
      merged[merged.length - 1] = { ...last, instances: [last.instances[0], range.instances[1]] };
    } else {
      merged.push(range);
    }
  }
  return merged;
}

/** One more than the highest instance; 0 if there is none. */
function spanOf(ranges: readonly InstanceRange[]): number {
  return ranges.reduce((span, [, high]) => Math.max(span, high + 1), 0);
}

function clip(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}...`;
}

function refused(problem: string, advice: string): BorealisError {
  return new BorealisError('INVALID_REQUEST', `${problem}. ${advice}`);
}
