// The update engine: (update, instances, now) -> actions, the record as it must become, and when to look again.
//
// Contract with who calls it (the shell):
//   1. read the record, and the tasks of at least the instances of `instancesToRead(record)`;
//   2. write `next` on condition that the record is unchanged (unless `next` is the same object);
//   3. carry out the actions; each names its task or its generation, so that doing it twice, or late, does nothing.
// Everything is derived from the record and the tasks, never from an earlier answer: evaluating again gives the same
// actions until their effect is seen in the tasks, so a crash between 2 and 3 loses nothing.
import { toInstanceRanges } from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { act, type UpdateEvaluation } from './act.ts';
import type { InstanceView } from './newest-task.ts';
import { nextTurns, noneLeft, openPass } from './pass.ts';
import { pulseExpired } from './pulse.ts';
import { moveTo } from './record.ts';
import { begin, judge, noteLandedKills, noteRelapses, type Run, recordOf } from './run.ts';
import { awaitingStatus, isRolling } from './status-machine.ts';
import { pausesBefore } from './strategy.ts';

export interface EvaluationOptions {
  /** Instances of the job, wanted and not RUNNING, that are not among the given ones. Default 0. */
  readonly othersDown?: number;
}

/**
 * Works out what an update does next. `instances`: at least those of `instancesToRead`; better all the job should
 * have, since those that are down count against the budget. INTERNAL if an instance whose turn it is is missing.
 */
export function evaluateUpdate(
  update: UpdateRecord,
  instances: readonly InstanceView[],
  now: number,
  options: EvaluationOptions = {},
): UpdateEvaluation {
  const views = new Map(instances.map(({ instance, tasks }) => [instance, tasks]));
  const first = evaluateDirection(update, views, now, options);
  // Turning back is evaluated at once; a direction changes at most once.
  if (first.next.status !== 'ROLLING_BACK' || update.status === 'ROLLING_BACK') return first;
  const second = evaluateDirection(first.next, views, now, options);
  return { ...second, instanceEvents: [...first.instanceEvents, ...second.instanceEvents] };
}

/**
 * The instances the next evaluation must see: those whose turn it is, those that may follow, and those of which it is not
 * known yet whether their take-down has landed.
 */
export function instancesToRead(update: UpdateRecord): InstanceRange[] {
  if (!isRolling(update.status)) return [];
  const pass = openPass(update);
  const working = [...pass.working.keys()];
  // What follows once those whose turn it is are all done.
  const next = nextTurns({ ...pass, working: new Map() }, update);
  return toInstanceRanges([...working, ...pass.taken, ...next]);
}

function evaluateDirection(
  update: UpdateRecord,
  views: Run['views'],
  now: number,
  { othersDown = 0 }: EvaluationOptions,
): UpdateEvaluation {
  const nothing = { actions: [], instanceEvents: [], waiting: [] };
  const { status } = update;
  if (!isRolling(status)) return { next: update, ...nothing };
  if (pulseExpired(update, now)) {
    const message = 'Pulses from external service have timed out.';
    return { next: moveTo(update, awaitingStatus(status), { now, message }), ...nothing };
  }
  const run: Run = {
    update,
    pass: openPass(update),
    views,
    now,
    othersDown,
    verdicts: new Map(),
    instanceEvents: [],
    autoPausedAt: update.progress.autoPausedAt,
    incomplete: false,
  };
  noteLandedKills(run);
  noteRelapses(run);
  for (const instance of run.pass.working.keys()) judge(run, instance);
  const stopped = failureEnd(run) ?? startGroups(run) ?? successEnd(run);
  if (stopped) return { ...nothing, next: stopped, instanceEvents: run.instanceEvents };
  return act(run);
}

/** Too many failed instances end the direction (spec section 8). */
function failureEnd(run: Run): UpdateRecord | undefined {
  const { update, pass, now } = run;
  if (pass.failed.size <= update.settings.maxFailedInstances) return undefined;
  const latest = run.lastFailed ?? Math.max(...pass.failed);
  const message = `Latest failure: instance ${latest} exited.`;
  const turnsBack = !pass.back && update.settings.rollbackOnFailure;
  return moveTo(recordOf(run), turnsBack ? 'ROLLING_BACK' : 'FAILED', { now, message });
}

/** Starts what the strategy lets start; groups in which nothing is to be done are passed at once. */
function startGroups(run: Run): UpdateRecord | undefined {
  const { update, pass, views, now } = run;
  for (;;) {
    const group = nextTurns(pass, update);
    if (group.length === 0) return undefined;
    const pauses = !pass.back && pausesBefore(update.settings.strategy, pass.visited);
    if (pauses && run.autoPausedAt !== pass.visited) {
      run.autoPausedAt = pass.visited;
      return moveTo(recordOf(run), 'ROLL_FORWARD_PAUSED', { now, message: 'Update auto paused' });
    }
    if (!group.every((instance) => views.has(instance))) {
      run.incomplete = true;
      return undefined;
    }
    if (pass.back) pass.revisited += group.length;
    else pass.visited += group.length;
    for (const instance of group) begin(run, instance);
  }
}

function successEnd(run: Run): UpdateRecord | undefined {
  const { pass, now } = run;
  if (!noneLeft(pass) || pass.working.size > 0) return undefined;
  return moveTo(recordOf(run), pass.back ? 'ROLLED_BACK' : 'ROLLED_FORWARD', { now });
}
