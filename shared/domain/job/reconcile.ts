// Makes tasks follow a job's desired state (design D6). Level-triggered: the plan is worked out from the job row and
// the task rows as they are, never from what an earlier run did, so it may be run at any time, again, or after a crash
// half way, and ends in the same set of tasks.
//
//   desired?  newest active task              action
//   no        any but KILLING                 KILLING (kill beats create: such an instance is never created)
//   yes, new  none, and none with spec>=since create the next generation
//   yes, new  one with spec < since           KILLING, and `waiting`: it was removed and added again before the
//                                             removal was carried out; the new task comes when the old one has ended
//   yes       listed in a new restart request RESTARTING
//   yes       listed in a new refill request  none active: create the next generation; KILLING: `waiting`
//   yes       otherwise                       leave it: replacement after an end is the task machine's own doing
//
// "New" means since > job.reconciledVersion. Why a task with spec >= since, even an ended one, stops a creation: a
// batch task may have finished between two runs of reconcile, and must not run twice. Why only new ranges: later, the
// history may be pruned, and an instance that finished must not come back. `since` is the version that added the
// instances; whoever changes the config of desired instances (updates) must leave it alone. Ended tasks of an earlier job
// of the name, whose rows outlived that of their job, do not count.
import type { IdSource } from '../../lib/ports.ts';
import { containsInstance, intersectInstances, listInstances } from '../../model/instance-ranges.ts';
import { type DesiredRange, type Job, leastKeptMs } from '../../model/job.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import { isActive, isTerminal, type Task, type TaskState } from '../../model/task.ts';
import type { TaskConfig } from '../../model/task-config.ts';
import { createTask } from '../task/successor.ts';

export interface ReconcileInput {
  readonly job: Job;
  /** Every row, live and history, of the instances in `interval`; others are ignored. */
  readonly tasks: readonly Task[];
  /** The instances this plan is about, inclusive; all of a job are covered by several plans. */
  readonly interval: InstanceRange;
  /** Instances to leave alone: a row of theirs cannot be read. */
  readonly untouched?: ReadonlySet<number>;
  /** The config of an id; throws if it isn't known. Asked only for tasks to be created. */
  readonly configs: (configId: string) => TaskConfig;
  /** Epoch ms. */
  readonly now: number;
  readonly ids: IdSource;
}

export interface ReconcilePlan {
  /** Rows to insert unless their key exists. */
  readonly create: readonly Task[];
  /** To be put through `applyTransition`; a refusal means the task has moved on, and the next run sees to it. */
  readonly transitions: readonly {
    readonly task: Task;
    readonly to: 'KILLING' | 'RESTARTING';
    readonly message: string;
  }[];
  /**
   * Instances whose creation must wait until an older task has ended. While there are any, `markReconciled` must not
   * be called, and reconcile must be run again when they may have ended.
   */
  readonly waiting: readonly number[];
}

/** Works out what is missing and what is too much within `interval`. */
export function planReconcile(input: ReconcileInput): ReconcilePlan {
  const byInstance = groupByInstance(input);
  const plan: MutablePlan = { create: [], transitions: [], waiting: [] };
  for (const [instance, tasks] of byInstance) {
    if (!input.untouched?.has(instance)) planEnds(input.job, tasks, plan);
  }
  for (const range of input.job.desired) {
    if (range.since > input.job.reconciledVersion) planCreations(input, range, byInstance, plan);
    else planRefills(input, range, byInstance, plan);
  }
  return plan;
}

interface MutablePlan {
  create: Task[];
  transitions: { task: Task; to: 'KILLING' | 'RESTARTING'; message: string }[];
  waiting: number[];
}

function groupByInstance({ tasks, interval: [low, high] }: ReconcileInput): Map<number, Task[]> {
  const inside = tasks.filter(({ instance }) => low <= instance && instance <= high);
  return Map.groupBy(inside, ({ instance }) => instance);
}

/** Kills and restarts among the tasks of one instance. */
function planEnds(job: Job, tasks: readonly Task[], plan: MutablePlan): void {
  for (const task of tasks) {
    if (!isActive(task.state) || task.state === 'KILLING') continue;
    if (isUnwanted(job, task)) {
      plan.transitions.push({ task, to: 'KILLING', message: job.killMessage ?? 'Killed' });
      continue;
    }
    const request = restartFor(job, task);
    if (request) plan.transitions.push({ task, to: 'RESTARTING', message: request.message });
  }
}

/** Not desired, or desired anew while this task is from before its removal. */
function isUnwanted(job: Job, task: Task): boolean {
  const range = job.desired.find(({ instances }) => containsInstance([instances], task.instance));
  return range === undefined || (range.since > job.reconciledVersion && task.spec < range.since);
}

const restartable: readonly TaskState[] = ['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'];

/** The newest restart request that is still to be carried out and means this task. */
function restartFor(job: Job, task: Task): Job['restarts'][number] | undefined {
  if (!restartable.includes(task.state)) return undefined;
  return job.restarts.findLast(
    ({ version, requestedAt, instances }) =>
      version > job.reconciledVersion &&
      task.createdAt <= requestedAt &&
      containsInstance(instances, task.instance),
  );
}

function planCreations(
  input: ReconcileInput,
  range: DesiredRange,
  byInstance: ReadonlyMap<number, readonly Task[]>,
  plan: MutablePlan,
): void {
  const low = Math.max(range.instances[0], input.interval[0]);
  const high = Math.min(range.instances[1], input.interval[1]);
  for (let instance = low; instance <= high; instance++) {
    const tasks = byInstance.get(instance) ?? [];
    if (input.untouched?.has(instance)) continue;
    if (tasks.some((task) => task.spec >= range.since && !isOfEarlierJob(input.job, task))) continue;
    if (tasks.some(({ state }) => isActive(state))) plan.waiting.push(instance);
    else plan.create.push(newTask(input, range, instance, tasks));
  }
}

/**
 * An ended task of a job of the same name that is gone: the store removes rows whose time has come in any order, so a
 * task's may outlive its job's, and then its version says nothing about the job that began anew. That job began when
 * the old one had been over for `leastKeptMs`; its own tasks end after it began, but for the difference of clocks.
 */
function isOfEarlierJob(job: Job, { state, events, createdAt }: Task): boolean {
  return isTerminal(state) && (events.at(-1)?.at ?? createdAt) + leastKeptMs / 2 < job.createdAt;
}

/** Instances that an update ended and did not replace before it was given up. */
function planRefills(
  input: ReconcileInput,
  range: DesiredRange,
  byInstance: ReadonlyMap<number, readonly Task[]>,
  plan: MutablePlan,
): void {
  const { job, interval } = input;
  const asked = job.refills.filter(({ version }) => version > job.reconciledVersion);
  const inside = intersectInstances([range.instances], [interval]);
  for (const instance of listInstances(asked.flatMap((one) => intersectInstances(one.instances, inside)))) {
    if (input.untouched?.has(instance)) continue;
    const tasks = byInstance.get(instance) ?? [];
    const active = tasks.find(({ state }) => isActive(state));
    if (active === undefined) plan.create.push(newTask(input, range, instance, tasks));
    else if (active.state === 'KILLING') plan.waiting.push(instance);
  }
}

function newTask(input: ReconcileInput, range: DesiredRange, instance: number, tasks: readonly Task[]): Task {
  const known = tasks.reduce((highest, { generation }) => Math.max(highest, generation), 0);
  return createTask(
    {
      job: input.job,
      instance,
      generation: known + 1,
      configId: range.configId,
      spec: range.since,
      config: input.configs(range.configId),
      now: input.now,
    },
    input.ids,
  );
}
