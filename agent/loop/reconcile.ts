// Compares what the control plane wants of this agent with what it runs: what to start, to kill and to report again
// (design D9). Pure. Errs on the side of leaving tasks alone: an answer that is old, or from which much is missing at
// once, kills nothing until it is repeated.
import type { DesiredTasks, TaskLaunch } from '../../shared/model/protocol.ts';

/** A task this agent knows. */
export interface KnownTask {
  readonly taskId: string;
  /** When the agent took it over, agent's clock, epoch ms. */
  readonly launchedAt: number;
  readonly isKillRequested: boolean;
  /** Present once the task has ended; `acceptedAt` once the control plane's queue took that status. */
  readonly ended?: { readonly acceptedAt?: number };
}

/** How often running tasks were missing from answers in a row, and the time of the last such answer. */
export interface Absences {
  readonly counts: ReadonlyMap<string, number>;
  readonly asOf: number;
}

export const noAbsences: Absences = { counts: new Map(), asOf: 0 };

export interface ReconcileInput {
  readonly desired: DesiredTasks;
  /** When the answer was asked for, agent's clock, epoch ms. */
  readonly requestedAt: number;
  readonly active: readonly KnownTask[];
  /** Looks up a task that is not active. */
  readonly endedTask: (taskId: string) => KnownTask | undefined;
  readonly absences: Absences;
  /** A final status is sent again if the level still shows the task active this long after it was accepted, ms. */
  readonly resendAfterMs: number;
  readonly now: number;
}

export interface ReconcilePlan {
  readonly start: readonly TaskLaunch[];
  readonly kill: readonly string[];
  /** Ended tasks whose final status is to be sent again. */
  readonly resend: readonly string[];
  readonly absences: Absences;
}

/** Answers in a row from which a task must be missing before it is killed. */
const absencesToKill = 2;
/** The same when most of the tasks are missing at once, which is more likely a fault than a wish. */
const absencesToKillMany = 4;
const manyTasks = 4;

export function planReconcile(input: ReconcileInput): ReconcilePlan {
  const activeIds = new Set(input.active.map((task) => task.taskId));
  const start: TaskLaunch[] = [];
  const resend: string[] = [];
  for (const { run, launch } of input.desired.tasks) {
    if (activeIds.has(launch.taskId)) continue;
    const ended = input.endedTask(launch.taskId);
    if (ended === undefined) {
      if (run) start.push(launch);
      else resend.push(launch.taskId);
    } else if (isResendDue(ended, input)) resend.push(launch.taskId);
  }
  const shouldRun = new Map(input.desired.tasks.map((task) => [task.launch.taskId, task.run]));
  const unwanted = input.active
    .filter((task) => shouldRun.get(task.taskId) === false && !task.isKillRequested)
    .map((task) => task.taskId);
  const absences = countAbsences(input, shouldRun);
  return { start, resend, kill: [...unwanted, ...absentForLong(input, absences)], absences };
}

function countAbsences(input: ReconcileInput, present: ReadonlyMap<string, boolean>): Absences {
  const { desired, absences } = input;
  const counts = new Map<string, number>();
  // The same answer twice (a cache) proves nothing new.
  const step = desired.asOf > absences.asOf ? 1 : 0;
  for (const task of input.active) {
    if (present.has(task.taskId)) continue;
    // An answer that was read, or asked for, before the task came here can't know of it.
    const canKnow = task.launchedAt < desired.asOf && task.launchedAt < input.requestedAt;
    if (canKnow) counts.set(task.taskId, (absences.counts.get(task.taskId) ?? 0) + step);
  }
  return { counts, asOf: Math.max(desired.asOf, absences.asOf) };
}

function absentForLong(input: ReconcileInput, absences: Absences): string[] {
  const missing = absences.counts.size;
  const isMany = missing >= manyTasks && missing * 2 > input.active.length;
  const needed = isMany ? absencesToKillMany : absencesToKill;
  const killRequested = new Set(
    input.active.filter((task) => task.isKillRequested).map((task) => task.taskId),
  );
  return [...absences.counts]
    .filter(([taskId, count]) => count >= needed && !killRequested.has(taskId))
    .map(([taskId]) => taskId);
}

function isResendDue(task: KnownTask, input: ReconcileInput): boolean {
  // Not accepted yet: it is still in the reporter's queue and will go out by itself.
  const acceptedAt = task.ended?.acceptedAt;
  return acceptedAt !== undefined && acceptedAt + input.resendAfterMs <= input.requestedAt;
}
