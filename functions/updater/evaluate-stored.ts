// One step of a stored update: read it and its instances, let the engine decide, write the decision on condition that
// nobody was first, carry it out. A crash after the write loses nothing: the next evaluation derives the same actions
// from what was written. Who does it, and how often, does not matter.

import type { UpdateEvaluation } from '../../shared/domain/update/act.ts';
import { failInternally } from '../../shared/domain/update/calls.ts';
import { rememberDown } from '../../shared/domain/update/down.ts';
import { type EvaluationOptions, evaluateUpdate } from '../../shared/domain/update/evaluate.ts';
import { followUpdate, sparedInstances } from '../../shared/domain/update/follow-job.ts';
import type { InstanceView } from '../../shared/domain/update/newest-task.ts';
import { isRolling } from '../../shared/domain/update/status-machine.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Job } from '../../shared/model/job.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { isTerminalUpdate, type UpdateRecord } from '../../shared/model/update.ts';
import type { StoredUpdate } from '../../shared/store/port.ts';
import { carryOutActions } from './carry-out-actions.ts';
import type { UpdaterDeps } from './deps.ts';
import type { InstancesRead } from './read-instances.ts';

export interface EvaluationRequest {
  readonly key: JobKey;
  readonly updateId: string;
  /** Where to look besides what the update says by itself. */
  readonly hints?: readonly number[];
  /** If it answers no, a step that would give further instances their turn is not made, but answered as `held`. */
  readonly mayBegin?: (next: UpdateRecord) => boolean;
}

/** `evaluation` is absent if the update does not act. */
export interface Evaluated {
  readonly stored: StoredUpdate;
  readonly evaluation?: UpdateEvaluation;
  readonly held: boolean;
}

/** Lost races, and steps that follow from one another at once, before the rest is left to the next call. */
const maxRounds = 12;

/** Undefined if there is no such update. Throws CONFLICT if others keep changing it. */
export async function evaluateStored(
  request: EvaluationRequest,
  deps: UpdaterDeps,
): Promise<Evaluated | undefined> {
  const { key, updateId } = request;
  for (let round = 0; round < maxRounds; round++) {
    const [stored, job] = await Promise.all([deps.store.getUpdate(key, updateId), deps.store.getJob(key)]);
    if (!stored) return undefined;
    if (!isRolling(stored.update.status)) return { stored, held: false };
    if (job?.updateId !== updateId) {
      await disown(stored, deps);
      continue;
    }
    const read = await deps.readInstances(job, stored.update, request.hints ?? []);
    const now = deps.clock();
    const evaluation = evaluate(stored.update, read, now, deps);
    const { next } = evaluation;
    if (begins(stored.update, next) && request.mayBegin?.(next) === false)
      return { stored, evaluation, held: true };
    const written = await write(stored, job, evaluation, read.views, now, deps);
    if (!written) {
      deps.meter.count('UpdateConflicts', 1);
      continue;
    }
    const settled = await carryOutActions(written.job, evaluation.actions, read.tasks, now, deps);
    // Not all that may start could be read at once, or somebody moved a task at the same moment.
    if (settled && (evaluation.wakeAt ?? Number.POSITIVE_INFINITY) > now) {
      return { stored: written.stored, evaluation, held: false };
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `update ${updateId} of job ${jobPath(key)} keeps changing; nothing is lost, it is looked at again`,
  );
}

/** Cannot be, for job and update are written together; but if somebody has mended rows by hand, it must not go on for ever. */
async function disown(
  { update, ...stored }: StoredUpdate,
  { store, clock, log }: UpdaterDeps,
): Promise<void> {
  const now = clock();
  const next = failInternally(update, `job ${jobPath(update)} does not name this update as its own`, now);
  log.error('an update is not the one of its job; it ends here', { updateId: update.updateId });
  await store.writeUpdate({ before: { update, ...stored }, next, now });
}

/** How many turns have begun, both ways together. */
export function turnsBegun({ progress }: UpdateRecord): number {
  return progress.visited + progress.revisited;
}

/** Do further instances get their turn, with no change of direction or end that could not wait? */
function begins(before: UpdateRecord, next: UpdateRecord): boolean {
  return next.status === before.status && turnsBegun(next) > turnsBegun(before);
}

/** An update that cannot be evaluated ends with an ERROR that says why; trying again would not help. */
function evaluate(
  update: UpdateRecord,
  { views, othersDown, isWhole }: InstancesRead,
  now: number,
  { log }: UpdaterDeps,
): UpdateEvaluation {
  const options: EvaluationOptions = { othersDown };
  try {
    const evaluation = evaluateUpdate(update, views, now, options);
    return isWhole ? evaluation : { ...evaluation, next: rememberDown(evaluation.next, views) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    log.error('an update cannot be evaluated; it ends here', { updateId: update.updateId, error });
    return { next: failInternally(update, problem, now), actions: [], instanceEvents: [], waiting: [] };
  }
}

interface Written {
  readonly stored: StoredUpdate;
  readonly job: Job;
}

/** Undefined if somebody was first. */
async function write(
  stored: StoredUpdate,
  job: Job,
  { next, instanceEvents }: UpdateEvaluation,
  views: readonly InstanceView[],
  now: number,
  { store, log }: UpdaterDeps,
): Promise<Written | undefined> {
  if (next === stored.update) return { stored, job };
  const spared = isTerminalUpdate(next.status) ? sparedInstances(next, views) : [];
  const followed = followUpdate(job, next, now, spared);
  const { specVersion, reconciledVersion } = job;
  const outcome = await store.writeUpdate({
    before: stored,
    next,
    instanceEvents,
    now,
    ...(followed !== job && { job: { next: followed, expected: { specVersion, reconciledVersion } } }),
  });
  if (outcome.kind === 'conflict') return undefined;
  if (next.status !== stored.update.status) {
    const { updateId, status, events } = next;
    const { message: reason = '' } = events.at(-1) ?? {};
    log.info('update moved', { job: jobPath(next), updateId, status, reason });
  }
  return { stored: outcome.stored, job: followed };
}
