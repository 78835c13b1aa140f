// Who goes first: priority, then age, then job and instance so that the order is total and a plan can be replayed.
import type { PendingTask } from './types.ts';

/** The pending tasks in planning order: priority descending, createdAt ascending, jobPath, instance, taskId. */
export function inPlanningOrder(pending: readonly PendingTask[]): PendingTask[] {
  return [...pending].sort(
    (a, b) =>
      b.priority - a.priority ||
      a.createdAt - b.createdAt ||
      compareText(a.jobPath, b.jobPath) ||
      a.instance - b.instance ||
      compareText(a.taskId, b.taskId),
  );
}

/** Code unit order, the same on every machine (no locale). */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
