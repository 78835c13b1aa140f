// An instance as an update sees it: its tasks, of which the newest one says what it runs now.
import type { Task } from '../../model/task.ts';

/** What an update looks at in a task. */
export type UpdateTask = Pick<Task, 'taskId' | 'generation' | 'configId' | 'state' | 'events'>;

/** One instance of the job and what it has run. */
export interface InstanceView {
  readonly instance: number;
  /** The newest task, whatever its state, and those that ended since the instance's turn began. Empty: none known. */
  readonly tasks: readonly UpdateTask[];
}

/** The task of the highest generation. */
export function newestTask(tasks: readonly UpdateTask[]): UpdateTask | undefined {
  return tasks.reduce<UpdateTask | undefined>(
    (newest, task) => (newest === undefined || task.generation > newest.generation ? task : newest),
    undefined,
  );
}

/** Does the instance serve? */
export function isUp(tasks: readonly UpdateTask[]): boolean {
  return newestTask(tasks)?.state === 'RUNNING';
}
