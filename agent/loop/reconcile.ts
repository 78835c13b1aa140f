// Compares what the control plane wants of this agent with what it runs: what to start, to kill and to report again
// (design D9). Pure. Errs on the side of leaving tasks alone: an answer that is old, or from which much is missing at
// once, kills nothing by itself until it is repeated.
import type { DesiredTasks, TaskLaunch, TaskStatus } from '../../shared/model/protocol.ts';
import type { TaskState } from '../../shared/model/task.ts';

/** A task this agent knows. */
export interface KnownTask {
  readonly taskId: string;
  readonly isKillRequested: boolean;
  /** Its last status and, once the control plane's queue took that, when. */
  readonly last?: { readonly state: TaskStatus['state']; readonly acceptedAt?: number };
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
  /** Tasks that were active here when the answer was asked for: the only ones of which it must know. */
  readonly activeThen: ReadonlySet<string>;
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
  /** Running tasks whose status is to be sent again: the control plane has missed it, or answers with a kill. */
  readonly tell: readonly string[];
  /** Tasks the control plane knows to have run here, of which nothing is left: to be reported as lost. */
  readonly lost: readonly string[];
  readonly absences: Absences;
}

/** Answers in a row from which a task must be missing before it is killed. */
const absencesToKill = 2;
/** The same when most of the tasks are missing at once, which is more likely a fault than a wish. */
const absencesToKillMany = 4;
const manyTasks = 4;

/** States a task only ever reaches by this agent's own report. */
const acknowledged: readonly TaskState[] = ['STARTING', 'RUNNING', 'PARTITIONED'];
/** How far a running task has come. */
const progress: Readonly<Partial<Record<TaskState, number>>> = { ASSIGNED: 0, STARTING: 1, RUNNING: 2 };

export function planReconcile(input: ReconcileInput): ReconcilePlan {
  const active = new Map(input.active.map((task) => [task.taskId, task]));
  const start: TaskLaunch[] = [];
  const resend: string[] = [];
  const tell: string[] = [];
  const lost: string[] = [];
  for (const { run, state, launch } of input.desired.tasks) {
    const { taskId } = launch;
    const running = active.get(taskId);
    if (running) {
      if (isBehind(state, running, input)) tell.push(taskId);
      continue;
    }
    const ended = input.endedTask(taskId);
    if (ended !== undefined) {
      if (isResendDue(ended, input)) resend.push(taskId);
    } else if (!run) resend.push(taskId);
    else if (acknowledged.includes(state)) lost.push(taskId);
    else start.push(launch);
  }
  const shouldRun = new Map(input.desired.tasks.map((task) => [task.launch.taskId, task.run]));
  for (const taskId of input.desired.others ?? []) shouldRun.set(taskId, true);
  const unwanted = input.active
    .filter((task) => shouldRun.get(task.taskId) === false && !task.isKillRequested)
    .map((task) => task.taskId);
  const absences = countAbsences(input, shouldRun);
  const kill = [...unwanted, ...absentForLong(input, absences)];
  // The control plane reads the row of what it is told of and answers with a kill if it must not run.
  for (const [taskId, count] of absences.counts) {
    if (count > 0 && !kill.includes(taskId) && !active.get(taskId)?.isKillRequested) tell.push(taskId);
  }
  return { start, resend, tell, lost, kill, absences };
}

/** Does the level show the task in an earlier state than was reported, long after the report was taken? */
function isBehind(state: TaskState, { last }: KnownTask, input: ReconcileInput): boolean {
  if (last?.acceptedAt === undefined) return false;
  if (!isLongAgo(last.acceptedAt, input)) return false;
  if (state === 'PARTITIONED') return true;
  const [known, reported] = [progress[state], progress[last.state]];
  return known !== undefined && reported !== undefined && known < reported;
}

function countAbsences(input: ReconcileInput, present: ReadonlyMap<string, boolean>): Absences {
  const { desired, absences } = input;
  const counts = new Map<string, number>();
  // The same answer twice (a cache) proves nothing new.
  const step = desired.asOf > absences.asOf ? 1 : 0;
  for (const task of input.active) {
    if (present.has(task.taskId)) continue;
    // An answer that was asked for before the task came here can't know of it. No clock decides that: the machine's
    // may be hours from the server's, and may have been set meanwhile.
    if (input.activeThen.has(task.taskId))
      counts.set(task.taskId, (absences.counts.get(task.taskId) ?? 0) + step);
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
  return acceptedAt !== undefined && isLongAgo(acceptedAt, input);
}

/** Also if it is still to come: then the clock was set back, and what it says of the past means nothing. */
function isLongAgo(acceptedAt: number, { requestedAt, resendAfterMs, now }: ReconcileInput): boolean {
  return acceptedAt + resendAfterMs <= requestedAt || acceptedAt > now;
}
