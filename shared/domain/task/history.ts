// Which ended tasks of a job are more history than is kept (spec task-lifecycle 11). Pure.
import { isTerminal, type Task } from '../../model/task.ts';

export interface HistoryLimits {
  /** Ended tasks of a job that are kept, the newest. */
  readonly maxPerJob: number;
  /** Whatever ended less than so long ago is kept, ms. */
  readonly minKeptMs: number;
}

/** `history_min_retention_threshold` of the spec. */
export const defaultHistory: HistoryLimits = { maxPerJob: 100, minKeptMs: 3600_000 };

/** Every so many generations of an instance it is looked whether its job has too much history. */
const checkEvery = 20;

/** Does the end of this task make it worth a look? History piles up by generations, and only by these. */
export function isHistoryDue({ generation }: Pick<Task, 'generation'>): boolean {
  return generation % checkEvery === 0;
}

/**
 * The ended tasks that may go, oldest first, among all rows of some instances of a job. The newest of each instance
 * stays for as long as rows are kept at all: it says how the instance ended, which the job's outcome is made of.
 */
export function surplusHistory(tasks: readonly Task[], now: number, limits: HistoryLimits): Task[] {
  const newest = new Map<number, number>();
  for (const { instance, generation } of tasks) {
    newest.set(instance, Math.max(generation, newest.get(instance) ?? 0));
  }
  const ended = tasks.filter(({ state }) => isTerminal(state)).sort((a, b) => endOf(b) - endOf(a));
  return ended
    .slice(limits.maxPerJob)
    .filter((task) => task.generation < (newest.get(task.instance) ?? 0))
    .filter((task) => now - endOf(task) >= limits.minKeptMs)
    .reverse();
}

function endOf({ events, createdAt }: Task): number {
  return events.at(-1)?.at ?? createdAt;
}
