// Has a job reached what somebody waits for? Pure: a snapshot of the job in, a verdict out.
import type { JobDetail, TaskView } from '../../shared/api/views.ts';
import { containsInstance, countInstances, intersectInstances } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { isActive, type TaskState, taskStates } from '../../shared/model/task.ts';

/** RUNNING: every instance runs or has finished. FINISHED: every one has finished. GONE: none is active. */
export type Goal = 'PENDING' | 'RUNNING' | 'FINISHED' | 'GONE';

export interface Verdict {
  readonly done: boolean;
  /** Why the goal cannot be reached any more without help. */
  readonly failed?: string;
  /** Instances by the state of their newest task, in the order of the life cycle; only states that occur. */
  readonly counts: readonly (readonly [TaskState | 'NOT CREATED', number])[];
}

/** What is waited for: a goal for all instances, or for some, over tasks of any or only of newer generations. */
export interface WaitFor {
  readonly goal: Goal;
  readonly instances?: readonly InstanceRange[];
  /** Per instance, the generation that must be exceeded (restart: what ran before doesn't count). */
  readonly newerThan?: ReadonlyMap<number, number>;
}

/**
 * Judges a job as read with its whole history. Nothing is decided before reconcile has carried out the newest change:
 * until then the tasks may be those of an earlier life of the job.
 */
export function judge(detail: Pick<JobDetail, 'job' | 'tasks'>, wait: WaitFor): Verdict {
  const { reconciled } = detail.job;
  const desired = detail.job.desired.map(({ instances }) => instances);
  const asked = wait.instances ?? desired;
  if (wait.goal === 'GONE') {
    const newest = newestTasks(detail.tasks, wait.instances, wait.newerThan);
    return {
      done: reconciled && newest.every(({ state }) => !isActive(state)),
      counts: countStates(newest, 0),
    };
  }
  const wanted = intersectInstances(asked, desired);
  const newest = newestTasks(detail.tasks, wanted, wait.newerThan);
  const missing = Math.max(0, countInstances(wanted) - newest.length);
  const counts = countStates(newest, missing);
  if (!reconciled) return { done: false, counts };
  const failed = wait.goal === 'PENDING' ? undefined : hopeless(newest, wait.goal);
  const done =
    failed === undefined && missing === 0 && newest.every(({ state }) => reached(state, wait.goal));
  return { done, counts, ...(failed !== undefined && { failed }) };
}

/** The task of the highest generation of each instance in question. */
function newestTasks(
  tasks: readonly TaskView[],
  instances: readonly InstanceRange[] | undefined,
  newerThan: ReadonlyMap<number, number> | undefined,
): TaskView[] {
  const newest = new Map<number, TaskView>();
  for (const task of tasks) {
    if (instances && !containsInstance(instances, task.instance)) continue;
    if (task.generation <= (newerThan?.get(task.instance) ?? 0)) continue;
    const known = newest.get(task.instance);
    if (!known || known.generation < task.generation) newest.set(task.instance, task);
  }
  return [...newest.values()];
}

function reached(state: TaskState, goal: Goal): boolean {
  if (goal === 'PENDING') return true;
  return state === 'FINISHED' || (goal === 'RUNNING' && state === 'RUNNING');
}

/** An instance whose newest task has ended otherwise than by finishing gets no successor: nothing will come of it. */
function hopeless(newest: readonly TaskView[], goal: Goal): string | undefined {
  const ended = newest.filter(({ state }) => !isActive(state) && state !== 'FINISHED' && state !== 'LOST');
  const first = ended[0];
  if (!first) return undefined;
  const last = first.events.at(-1);
  const why = last?.message ? `: ${last.message}` : '';
  const more = ended.length === 1 ? '' : ` (and ${ended.length - 1} more)`;
  return `instance ${first.instance} is ${first.state}${why}${more}, so ${goal} can no longer be reached`;
}

function countStates(tasks: readonly TaskView[], missing: number): Verdict['counts'] {
  const counts = new Map<TaskState, number>();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  const present = taskStates.flatMap((state) => {
    const n = counts.get(state);
    return n === undefined ? [] : [[state, n] as const];
  });
  return missing > 0 ? [['NOT CREATED', missing], ...present] : present;
}
