// A job's tasks in four numbers (spec/task-lifecycle.md section 2).
import { isOnAgent, type TaskState } from '../../model/task.ts';

/** pending: waiting for a place. active: on an agent. finished: FINISHED, KILLED. failed: FAILED, LOST. */
export interface TaskCounts {
  readonly pending: number;
  readonly active: number;
  readonly finished: number;
  readonly failed: number;
}

/** The bucket of a state. */
export function bucketOf(state: TaskState): keyof TaskCounts {
  if (state === 'THROTTLED' || state === 'PENDING') return 'pending';
  if (isOnAgent(state)) return 'active';
  return state === 'FINISHED' || state === 'KILLED' ? 'finished' : 'failed';
}

/** Counts of the given tasks; history included if it is among them. */
export function countTasks(tasks: Iterable<{ readonly state: TaskState }>): TaskCounts {
  const counts = { pending: 0, active: 0, finished: 0, failed: 0 };
  for (const { state } of tasks) counts[bucketOf(state)]++;
  return counts;
}
