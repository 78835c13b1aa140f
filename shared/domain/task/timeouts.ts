// Deadlines: every transient state ends by itself (design D8, spec/task-lifecycle.md sections 7 and 8). Only
// `deadlineAt` of the row counts here; the store's index entry may carry an earlier time (it is kept from ASSIGNED to
// STARTING to save a write) and the sweep asks `timedOut` with the row it has read.
import type { Task, TaskState } from '../../model/task.ts';
import type { HealthCheckConfig } from '../../model/task-config.ts';
import { type TransientState, transientStates } from '../../model/task-timeouts.ts';

/**
 * Milliseconds a task may stay in each state. PARTITIONED is the partition policy: the delay before the task is given
 * up and replaced; undefined = wait until the agent returns or someone acts.
 */
export type StateTimeouts = Readonly<Record<TransientState, number>> & {
  readonly PARTITIONED?: number | undefined;
};

/** Message of the end of a task whose agent did not come back in time (spec section 8). */
export const partitionTooLong = 'Task partitioned for too long.';

const fiveMinutesMs = 5 * 60_000;

export const defaultTimeouts: StateTimeouts = {
  ASSIGNED: fiveMinutesMs,
  STARTING: fiveMinutesMs,
  PREEMPTING: fiveMinutesMs,
  RESTARTING: fiveMinutesMs,
  DRAINING: fiveMinutesMs,
  KILLING: fiveMinutesMs,
  PARTITIONED: fiveMinutesMs,
};

/** The defaults, but for the states that were set otherwise. */
export function timeoutsWith(set: Readonly<Partial<Record<TransientState, number>>>): StateTimeouts {
  return { ...defaultTimeouts, ...set };
}

/**
 * How long a task with this health check may need from STARTING until it is RUNNING or has failed, seconds: every
 * attempt it is allowed (agent/health/verdict.ts), each with its timeout. STARTING lasts so much longer for it.
 */
export function warmUpSecs(check: HealthCheckConfig | undefined): number {
  if (check === undefined) return 0;
  const { initialIntervalSecs, intervalSecs, timeoutSecs, maxConsecutiveFailures, minConsecutiveSuccesses } =
    check;
  const attempts =
    Math.ceil(initialIntervalSecs / intervalSecs) + maxConsecutiveFailures + minConsecutiveSuccesses + 1;
  return Math.ceil(attempts * (intervalSecs + timeoutSecs));
}

/** When a state entered at `at` must be left, epoch ms; undefined = never. `warmUp`: the task's own, seconds. THROTTLED is set by its penalty instead. */
export function deadlineOf(
  state: TaskState,
  at: number,
  timeouts: StateTimeouts,
  warmUp = 0,
): number | undefined {
  const timeoutMs = (timeouts as Readonly<Partial<Record<TaskState, number | undefined>>>)[state];
  if (timeoutMs === undefined) return undefined;
  return at + timeoutMs + (state === 'STARTING' ? warmUp * 1000 : 0);
}

/** Most that a launch may go unnoticed before its agent is told of it again, milliseconds. */
const reminderMs = 90_000;

/**
 * When somebody looks whether a task assigned at `at` was taken up, epoch ms: late enough that hardly a launch that was
 * not lost comes into it, and early enough that the agent can start it before the deadline.
 */
export function reminderAt(at: number, timeouts: StateTimeouts): number {
  return at + Math.min(reminderMs, Math.round(timeouts.ASSIGNED / 3));
}

/** What a passed deadline asks for; commit it with `expected` = the state that was read. */
export interface TimeoutAction {
  readonly to: 'LOST' | 'PENDING';
  readonly message?: string;
}

/** The transition an overdue task needs, or undefined while it is not overdue (deadlines are inclusive). */
export function timedOut(task: Pick<Task, 'state' | 'deadlineAt'>, now: number): TimeoutAction | undefined {
  if (task.deadlineAt === undefined || now < task.deadlineAt) return undefined;
  if (task.state === 'THROTTLED') return { to: 'PENDING' };
  if (task.state === 'PARTITIONED') return { to: 'LOST', message: partitionTooLong };
  if (!(transientStates as readonly TaskState[]).includes(task.state)) return undefined;
  return { to: 'LOST', message: 'Task timed out' };
}
