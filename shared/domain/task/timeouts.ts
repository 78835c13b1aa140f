// Deadlines: every transient state ends by itself (design D8, spec/task-lifecycle.md sections 7 and 8). Only
// `deadlineAt` of the row counts here; the store's index entry may carry an earlier time (it is kept from ASSIGNED to
// STARTING to save a write) and the sweep asks `timedOut` with the row it has read.
import type { Task, TaskState } from '../../model/task.ts';

/** States that must be left before a deadline. STARTING is not among Aurora's; here it is timed as well. */
export const transientStates = [
  'ASSIGNED',
  'STARTING',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
] as const satisfies TaskState[];
type TransientState = (typeof transientStates)[number];

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

/** When a state entered at `at` must be left, epoch ms; undefined = never. THROTTLED is set by its penalty instead. */
export function deadlineOf(state: TaskState, at: number, timeouts: StateTimeouts): number | undefined {
  const timeoutMs = (timeouts as Readonly<Partial<Record<TaskState, number | undefined>>>)[state];
  return timeoutMs === undefined ? undefined : at + timeoutMs;
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
