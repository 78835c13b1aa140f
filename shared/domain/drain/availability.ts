// How many instances of a service may be down at once because agents are emptied (spec/scheduling.md section 10). One
// budget per job, whichever agents its tasks are on, so that two drains at the same time never take both copies. All
// that is down for whatever reason counts: a crash, an update, a drain that has not brought its replacement up yet.
//
// Differs from Aurora: jobs of less than 20 instances and of any tier have the budget too; it always lets one go.
import type { Drain } from '../../model/agent.ts';
import type { Task } from '../../model/task.ts';

/** One job at one moment. */
export interface Availability {
  /** Instances the job should have, or has more of: one that has no task at this moment is down like any other. */
  readonly total: number;
  /** Of these, the ones that have been RUNNING for long enough. */
  readonly up: number;
  /** So many may be down at once. */
  readonly allowedDown: number;
}

/** Has it been RUNNING for the time after which it counts as up? */
export function isSettled(task: Pick<Task, 'state' | 'events'>, settledSecs: number, now: number): boolean {
  if (task.state !== 'RUNNING') return false;
  const since = task.events.findLast(({ state }) => state === 'RUNNING')?.at ?? now;
  return now - since >= settledSecs * 1000;
}

/** The budget of a job whose active tasks are given; `wanted`: instances it should have. */
export function availabilityOf(
  active: readonly Pick<Task, 'state' | 'events'>[],
  { percentage, settledSecs }: Pick<Drain, 'percentage' | 'settledSecs'>,
  now: number,
  wanted: number,
): Availability {
  const total = Math.max(active.length, wanted);
  const up = active.filter((task) => isSettled(task, settledSecs, now)).length;
  const allowedDown = Math.max(1, Math.floor(total - (total * percentage) / 100 + 1e-9));
  return { total, up, allowedDown };
}
