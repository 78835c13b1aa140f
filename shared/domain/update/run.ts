// One evaluation of an update as it unfolds: the instances whose turn it is are looked at one by one, and what comes of
// it is noted, until the record that must be written can be read off.
import { BorealisError } from '../../lib/errors.ts';
import { toInstanceRanges } from '../../model/instance-ranges.ts';
import { isTerminal } from '../../model/task.ts';
import type { InstanceEvent, UpdateRecord } from '../../model/update.ts';
import { evaluateInstance, type InstanceVerdict } from './evaluate-instance.ts';
import { newestTask, type UpdateTask } from './newest-task.ts';
import type { Pass } from './pass.ts';
import { packWorking, sameRanges } from './record.ts';

export interface Run {
  readonly update: UpdateRecord;
  readonly pass: Pass;
  readonly views: ReadonlyMap<number, readonly UpdateTask[]>;
  readonly now: number;
  readonly othersDown: number;
  readonly verdicts: Map<number, InstanceVerdict>;
  readonly instanceEvents: InstanceEvent[];
  lastFailed?: number;
  autoPausedAt: number | undefined;
  /** Not all that may start was among the views. */
  incomplete: boolean;
}

/**
 * A decided take-down has landed once its instance is seen ending or ended, or running what it shall run. Not so on the
 * way back: there a task of the original config may be the very one that a late kill of the way forward will hit.
 */
export function noteLandedKills({ pass, views }: Run): void {
  for (const instance of pass.taken) {
    const tasks = views.get(instance);
    if (tasks === undefined) continue;
    const alive = livingTask(tasks);
    if (alive === undefined || (!pass.back && alive.configId === pass.target(instance))) {
      pass.taken.delete(instance);
    }
  }
}

/** The newest task unless it has ended or is being ended for good. */
function livingTask(tasks: readonly UpdateTask[]): UpdateTask | undefined {
  const newest = newestTask(tasks);
  return newest === undefined || newest.state === 'KILLING' || isTerminal(newest.state) ? undefined : newest;
}

/**
 * An instance that was done and is throttled since, for its new tasks keep ending, counts as failed after all. Only on
 * the way forward (nothing may stop the way back for what it has already put back), and only for those among the views.
 */
export function noteRelapses(run: Run): void {
  const { pass, views } = run;
  if (pass.back) return;
  for (const [instance, tasks] of views) {
    const newest = newestTask(tasks);
    if (newest?.state !== 'THROTTLED' || newest.configId !== pass.target(instance)) continue;
    const done = (pass.order.positionOf(instance) ?? pass.visited) < pass.visited;
    if (!done || pass.working.has(instance) || pass.failed.has(instance)) continue;
    pass.failed.add(instance);
    run.lastFailed = instance;
    note(run, instance, 'INSTANCE_UPDATE_FAILED');
  }
}

/** Looks at an instance whose turn it is, and notes what has come of it. */
export function judge(run: Run, instance: number): void {
  const { pass } = run;
  const verdict = verdictOn(run, instance, pass.working.get(instance) ?? run.now);
  if (verdict.kind === 'SUCCEEDED') {
    pass.working.delete(instance);
    note(run, instance, pass.back ? 'INSTANCE_ROLLED_BACK' : 'INSTANCE_UPDATED');
  } else if (verdict.kind === 'FAILED') {
    pass.working.delete(instance);
    pass.failed.add(instance);
    run.lastFailed = instance;
    note(run, instance, pass.back ? 'INSTANCE_ROLLBACK_FAILED' : 'INSTANCE_UPDATE_FAILED');
  } else {
    run.verdicts.set(instance, verdict);
  }
}

/** Gives an instance its turn, unless it is right as it is. */
export function begin(run: Run, instance: number): void {
  const { pass } = run;
  const verdict = verdictOn(run, instance, run.now);
  if (verdict.kind === 'SUCCEEDED') return;
  pass.working.set(instance, run.now);
  run.verdicts.set(instance, verdict);
  note(run, instance, pass.back ? 'INSTANCE_ROLLING_BACK' : 'INSTANCE_UPDATING');
}

function verdictOn({ update, pass, views, now }: Run, instance: number, since: number): InstanceVerdict {
  const tasks = views.get(instance);
  if (tasks === undefined) {
    throw new BorealisError(
      'INTERNAL',
      `update ${update.updateId}: instance ${instance} has its turn, but its tasks were not given; nothing is changed`,
    );
  }
  const { maxPerInstanceFailures, minWaitInInstanceRunningMs } = update.settings;
  const limits = { maxPerInstanceFailures, minWaitInInstanceRunningMs };
  const target = pass.target(instance);
  const alive = pass.taken.has(instance) ? livingTask(tasks) : undefined;
  // A take-down that is decided is carried out, even if what it takes down has become right meanwhile.
  if (alive) return { kind: 'KILL', task: alive };
  return evaluateInstance({ tasks, target, since, now, ...limits });
}

function note(run: Run, instance: number, action: InstanceEvent['action']): void {
  run.instanceEvents.push({ instance, action, at: run.now });
}

/** The record that the run has come to; the one it began with if nothing has changed. */
export function recordOf({ update, pass, now, autoPausedAt }: Run): UpdateRecord {
  const { progress } = update;
  const next = {
    visited: pass.visited,
    revisited: pass.revisited,
    working: packWorking(pass.working),
    taken: toInstanceRanges(pass.taken),
    failed: toInstanceRanges(pass.failed),
    ...(progress.down && { down: progress.down }),
    ...(autoPausedAt !== undefined && { autoPausedAt }),
  };
  const same =
    next.visited === progress.visited &&
    next.revisited === progress.revisited &&
    autoPausedAt === progress.autoPausedAt &&
    next.working.length === progress.working.length &&
    next.working.every(({ instances }, i) => sameRanges(instances, progress.working[i]?.instances ?? [])) &&
    sameRanges(next.taken, progress.taken) &&
    sameRanges(next.failed, progress.failed);
  return same ? update : { ...update, progress: next, updatedAt: Math.max(now, update.updatedAt) };
}
