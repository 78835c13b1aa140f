// How a job ended, from how the last task of each of its instances did. Pure.
import type { Job } from '../../model/job.ts';
import type { Task } from '../../model/task.ts';
import { desiredCount } from './desired.ts';

/** Instances by the end of their last task. */
export interface TaskEnds {
  readonly finished: number;
  readonly failed: number;
  readonly killed: number;
  readonly lost: number;
  /** When the last of them ended, epoch ms; 0 if there is none. */
  readonly endedAt: number;
}

type End = Exclude<keyof TaskEnds, 'endedAt'>;

const ends: Readonly<Partial<Record<Task['state'], End>>> = {
  FINISHED: 'finished',
  FAILED: 'failed',
  KILLED: 'killed',
  LOST: 'lost',
};

/**
 * The last generation of each instance among the tasks, if it has ended: how, and when (epoch ms). What had ended when
 * the job was submitted (`since`) belongs to an earlier submission, which may have had more instances.
 */
export function lastTasks(
  tasks: readonly Task[],
  since: number,
): { readonly state: End; readonly at: number }[] {
  const newest = new Map<number, Task>();
  for (const task of tasks) {
    if ((newest.get(task.instance)?.generation ?? 0) < task.generation) newest.set(task.instance, task);
  }
  return [...newest.values()].flatMap(({ state, events, createdAt }) => {
    const end = ends[state];
    const at = events.at(-1)?.at ?? createdAt;
    return end === undefined || at < since ? [] : [{ state: end, at }];
  });
}

/** The worst counts: a failed or lost instance before a killed one, that before success. */
export function jobOutcome(job: Pick<Job, 'desired'>, found: TaskEnds): 'succeeded' | 'failed' | 'killed' {
  if (found.failed + found.lost > 0) return 'failed';
  return found.killed > 0 || desiredCount(job) === 0 ? 'killed' : 'succeeded';
}
