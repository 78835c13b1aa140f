// From verdicts on single instances to actions: take-downs as far as the availability budget allows, creations, and who
// waits for what. An instance that has waited for a place for too long stops the update or turns it back.
import type { InstanceEvent, UpdateRecord } from '../../model/update.ts';
import { type Budget, budgetOf } from './budget.ts';
import type { InstanceVerdict, WaitReason } from './evaluate-instance.ts';
import type { UpdateTask } from './newest-task.ts';
import { isUp } from './newest-task.ts';
import { limitOf } from './pass.ts';
import { moveTo } from './record.ts';
import { type Run, recordOf } from './run.ts';
import { pausedStatus } from './status-machine.ts';

export type UpdateAction =
  /** End exactly this task, without replacement (to KILLING); if it is gone, nothing is to be done. */
  | {
      readonly kind: 'KILL';
      readonly instance: number;
      readonly generation: number;
      readonly taskId: string;
      readonly message: string;
      /** First ask the job's SLA policy, and come back later if it refuses (spec section 9). */
      readonly slaAware: boolean;
    }
  /** Create this generation with this config, on condition that it does not exist. */
  | {
      readonly kind: 'CREATE';
      readonly instance: number;
      readonly generation: number;
      readonly configId: string;
    };

/** An instance whose turn it is and for which nothing can be done now. */
interface WaitingInstance {
  readonly instance: number;
  readonly why: WaitReason;
  /** Epoch ms. */
  readonly since: number;
}

export interface UpdateEvaluation {
  /** The record to write; the very object that was given if nothing changes. */
  readonly next: UpdateRecord;
  readonly actions: readonly UpdateAction[];
  /** What happened to single instances, to be stored with `next`. */
  readonly instanceEvents: readonly InstanceEvent[];
  readonly waiting: readonly WaitingInstance[];
  /** Evaluate again then (epoch ms) even if no task changes; absent = a change of a task will tell. */
  readonly wakeAt?: number;
  /** Of these times, the first at which some instance may have waited for a place for too long. */
  readonly deadlineAt?: number;
}

/** Turns verdicts into actions as far as the budget allows. */
export function act(run: Run): UpdateEvaluation {
  const { now, instanceEvents } = run;
  const before = recordOf(run);
  const plan = planOf(run);
  const deadlines = placementDeadlines(run, plan.waiting);
  const late = deadlines.find(({ at }) => now >= at);
  if (late) {
    return { next: afterDeadline(run, before, late.waiting), actions: [], instanceEvents, waiting: [] };
  }
  const deadlineAt = earliest([...deadlines.map(({ at }) => at), ...laterDeadlines(run, plan)]);
  const wakeAt = run.incomplete
    ? now
    : earliest([...plan.wakes, ...(deadlineAt === undefined ? [] : [deadlineAt])]);
  return {
    next: recordOf(run),
    actions: plan.actions,
    instanceEvents,
    waiting: plan.waiting,
    ...(wakeAt !== undefined && { wakeAt }),
    ...(deadlineAt !== undefined && { deadlineAt }),
  };
}

function earliest(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : times.reduce((least, at) => Math.min(least, at));
}

interface ActionPlan {
  readonly actions: UpdateAction[];
  readonly waiting: WaitingInstance[];
  readonly wakes: number[];
}

function planOf(run: Run): ActionPlan {
  const { update, pass, views, now } = run;
  const budget = budgetOf(update, pass, views, limitOf(pass, update), run.othersDown);
  const plan: ActionPlan = { actions: [], waiting: [], wakes: [] };
  let { left } = budget;
  for (const [instance, verdict] of run.verdicts) {
    if (verdict.kind !== 'KILL') {
      planWithoutKill(instance, verdict, plan);
      continue;
    }
    const cost = costsBudget(run, budget, instance) ? 1 : 0;
    if (cost > 0 && left <= 0) {
      plan.waiting.push({ instance, why: 'BUDGET', since: pass.working.get(instance) ?? now });
      continue;
    }
    left -= cost;
    pass.taken.add(instance);
    plan.actions.push(killOf(update, instance, verdict.task));
  }
  return plan;
}

function planWithoutKill(instance: number, verdict: InstanceVerdict, plan: ActionPlan): void {
  if (verdict.kind === 'CREATE') {
    const { configId, generation } = verdict;
    plan.actions.push({ kind: 'CREATE', instance, generation, configId });
  } else if (verdict.kind === 'WAIT') {
    plan.waiting.push({ instance, why: verdict.why, since: verdict.since });
    if (verdict.until !== undefined) plan.wakes.push(verdict.until);
  }
}

/** Does the take-down make one more instance of the job unavailable? */
function costsBudget({ pass, views }: Run, budget: Budget, instance: number): boolean {
  if (pass.target(instance) === undefined || pass.taken.has(instance)) return false;
  return isUp(views.get(instance) ?? []) && budget.counts(instance);
}

function killOf({ updateId, settings }: UpdateRecord, instance: number, task: UpdateTask): UpdateAction {
  const { generation, taskId } = task;
  const message = `Killed for job update ${updateId}`;
  return { kind: 'KILL', instance, generation, taskId, message, slaAware: settings.slaAware };
}

/** When each instance that waits for a place, its own or that of others, will have waited for too long. */
function placementDeadlines(
  { update, pass, now }: Run,
  waiting: readonly WaitingInstance[],
): { readonly at: number; readonly waiting: WaitingInstance }[] {
  const { placementDeadlineMs } = update.settings;
  if (placementDeadlineMs === undefined) return [];
  return waiting
    .filter(({ why }) => why === 'PLACEMENT' || why === 'BUDGET')
    .map((one) => {
      // A resumed update gives it the whole time again.
      const from = Math.max(one.since, pass.working.get(one.instance) ?? now);
      return { at: from + placementDeadlineMs, waiting: one };
    });
}

/** Those of instances that are about to wait: nobody tells when a new task, or one after its penalty, begins to. */
function laterDeadlines({ update, now }: Run, { actions, waiting }: ActionPlan): number[] {
  const { placementDeadlineMs } = update.settings;
  const some = actions.some(({ kind }) => kind === 'CREATE') || waiting.some(({ why }) => why === 'PENALTY');
  return placementDeadlineMs !== undefined && some ? [now + placementDeadlineMs] : [];
}

function afterDeadline(
  { update, pass, now }: Run,
  record: UpdateRecord,
  late: WaitingInstance,
): UpdateRecord {
  const { onPlacementDeadline, placementDeadlineMs } = update.settings;
  const cause =
    late.why === 'PLACEMENT' ? 'no agent had room for it' : 'too many other instances of the job are down';
  const message = `Instance ${late.instance} has waited for ${placementDeadlineMs} ms: ${cause}.`;
  if (!pass.back && onPlacementDeadline === 'rollback') {
    return moveTo(record, 'ROLLING_BACK', { now, message });
  }
  return moveTo(record, pausedStatus(pass.back ? 'ROLLING_BACK' : 'ROLLING_FORWARD'), { now, message });
}
