// Task statuses of one batch: read the rows, fold each task's statuses through the machine, write once per task.
// A lost race is folded again on the row as it is now.
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { attemptedState } from '../../shared/domain/task/reports.ts';
import { outcomeOf } from '../../shared/domain/task/transitions.ts';
import type { TaskStatus } from '../../shared/model/protocol.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import { taskKeyOfId } from '../../shared/store/keys.ts';
import type { Store, TransitionOutcome, TransitionWrite } from '../../shared/store/port.ts';
import type { AgentCommandPort, Log, MetricPort } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import type { TransitionDeps } from '../transition-deps.ts';

export interface StatusDeps extends TransitionDeps {
  readonly store: Pick<Store, 'getTasks' | 'transitionAll'>;
  readonly agents: AgentCommandPort;
  readonly meter: MetricPort;
}

export interface ReportedStatus {
  /** The queue message it came in. */
  readonly messageId: string;
  /** Who says so; an agent may only report on its own tasks (design D11). */
  readonly agentId: string;
  readonly status: TaskStatus;
}

const maxTries = 5;
const agentsAtOnce = 16;

/**
 * Applies all; adds to `failed` the messages that must come again. Never throws. False if the store refused: nothing can
 * be reported at the moment.
 */
export async function applyStatuses(
  statuses: readonly ReportedStatus[],
  failed: Set<string>,
  deps: StatusDeps,
): Promise<boolean> {
  if (statuses.length === 0) return true;
  const byTask = Map.groupBy(statuses, ({ status }) => status.taskId);
  try {
    const strays = await settle(byTask, failed, deps);
    await answerStrays(strays, failed, deps);
    return true;
  } catch (error) {
    for (const { messageId } of statuses) failed.add(messageId);
    deps.log.error('task statuses could not be written; they come again', {
      taskIds: [...byTask.keys()],
      error,
    });
    return false;
  }
}

/** Writes what the statuses ask for; answers those to be answered by a kill. */
async function settle(
  byTask: ReadonlyMap<string, readonly ReportedStatus[]>,
  failed: Set<string>,
  deps: StatusDeps,
): Promise<readonly ReportedStatus[]> {
  const strays: ReportedStatus[] = [];
  const { rows, unreadable } = await readTasks([...byTask.keys()], deps);
  for (const taskId of unreadable)
    for (const { messageId } of byTask.get(taskId) ?? []) failed.add(messageId);
  let open = [...byTask.keys()].filter((taskId) => !unreadable.has(taskId));
  for (let tries = 0; tries < maxTries && open.length > 0; tries++) {
    const folds = new Map(
      open.map((taskId) => [taskId, foldStatuses(rows.get(taskId), byTask.get(taskId) ?? [], deps)]),
    );
    const lost = await writeFolds(folds, rows, deps);
    for (const [taskId, { stray }] of folds) if (stray && !lost.includes(taskId)) strays.push(stray);
    open = lost;
  }
  for (const taskId of open) for (const { messageId } of byTask.get(taskId) ?? []) failed.add(messageId);
  return strays;
}

/**
 * The rows of these tasks. A task whose row cannot be read is not one without a row, which would be killed: what was said
 * about it comes again until it can be read or ends in the dead-letter queue.
 */
async function readTasks(
  taskIds: readonly string[],
  { store, log }: StatusDeps,
): Promise<{ readonly rows: Map<string, Task>; readonly unreadable: ReadonlySet<string> }> {
  const tell = tellAside(log);
  const asides = new Set<string>();
  const tasks = await store.getTasks(taskIds, (row) => {
    asides.add(`${row.pk} ${row.sk}`);
    tell(row);
  });
  const isAside = (taskId: string): boolean => {
    const key = taskKeyOfId(taskId);
    return key !== undefined && asides.has(`${key.pk} ${key.sk}`);
  };
  return {
    rows: new Map(tasks.map((task) => [task.taskId, task])),
    unreadable: new Set(asides.size === 0 ? [] : taskIds.filter(isAside)),
  };
}

/** Answers the tasks whose write lost a race; `rows` then holds them as they are now. */
async function writeFolds(
  folds: ReadonlyMap<string, Fold>,
  rows: Map<string, Task>,
  deps: StatusDeps,
): Promise<string[]> {
  const writes = [...folds.values()].flatMap(({ write }) => write ?? []);
  const outcomes = writes.length === 0 ? [] : await deps.store.transitionAll(writes);
  logChanges(writes, outcomes, deps.log);
  return outcomes.flatMap((outcome, index) => {
    const taskId = writes[index]?.task.taskId;
    if (outcome.kind === 'committed' || taskId === undefined) return [];
    if (outcome.current) rows.set(taskId, outcome.current);
    else rows.delete(taskId);
    return [taskId];
  });
}

/** One line a batch: which tasks went to which state, and whom they had as agent. */
function logChanges(
  writes: readonly TransitionWrite[],
  outcomes: readonly TransitionOutcome[],
  log: Log,
): void {
  const done = writes.filter((_, index) => outcomes[index]?.kind === 'committed');
  const byState = Map.groupBy(done, ({ next }) => next?.state ?? 'DELETED');
  for (const [state, changed] of byState) {
    const taskIds = changed.map(({ task }) => task.taskId);
    const agentIds = [...new Set(changed.flatMap(({ task }) => task.agentId ?? []))];
    log.info('task statuses applied', { state, taskIds, agentIds });
  }
}

interface Fold {
  /** From the row as it was read to where the statuses lead; absent if nothing changes. */
  readonly write?: TransitionWrite;
  /** A status that is answered by a kill. */
  readonly stray?: ReportedStatus;
}

/** Several statuses of one task become one write that carries the events of all. */
function foldStatuses(row: Task | undefined, statuses: readonly ReportedStatus[], deps: StatusDeps): Fold {
  let current = row;
  let successor: Task | undefined;
  let stray: ReportedStatus | undefined;
  for (const reported of statuses) {
    const { to, message } = attemptedState(reported.status);
    if (current?.agentId !== reported.agentId) {
      if (current) refuseStranger(current, reported, deps);
      // It runs what nobody knows, or what another agent has, or nobody yet (a table restored to an older time).
      if (outcomeOf('DELETED', to) === 'ILLEGAL_WITH_KILL') stray = reported;
      continue;
    }
    const { timeouts, flapping } = deps;
    const plan = applyTransition(current, to, { now: deps.clock(), message, timeouts, flapping }, deps);
    if (plan.outcome === 'SUCCESS' && plan.next) {
      current = plan.next;
      successor = plan.successor ?? successor;
    } else if (plan.outcome === 'ILLEGAL_WITH_KILL') {
      stray = reported;
    }
    if (plan.outcome.startsWith('ILLEGAL')) countIllegal(current, reported, deps);
  }
  return {
    ...(row &&
      current &&
      current !== row && { write: { task: row, next: current, ...(successor && { successor }) } }),
    ...(stray && { stray }),
  };
}

function refuseStranger(task: Task, { agentId, status }: ReportedStatus, { log, meter }: StatusDeps): void {
  meter.count('ForeignReports', 1);
  log.warn('an agent reported on a task that is not its own; the report is dropped', {
    agentId,
    taskId: status.taskId,
    reported: status.state,
    owner: task.agentId,
  });
}

function countIllegal(task: Task, { agentId, status }: ReportedStatus, { log, meter }: StatusDeps): void {
  meter.count('IllegalTransitions', 1);
  log.warn('a report asks for a transition that is not allowed; the task is unchanged', {
    agentId,
    taskId: status.taskId,
    from: task.state,
    to: status.state,
  });
}

/** Tells agents to end tasks that should not run. Nothing was written, so nothing can get lost in between. */
async function answerStrays(
  strays: readonly ReportedStatus[],
  failed: Set<string>,
  deps: StatusDeps,
): Promise<void> {
  const byAgent = Map.groupBy(strays, ({ agentId }) => agentId);
  await mapLimit([...byAgent], agentsAtOnce, async ([agentId, reports]) => {
    try {
      const taskIds = [...new Set(reports.map(({ status }) => status.taskId))];
      await deps.agents.send(agentId, [{ v: 1, kind: 'kill', taskIds }]);
    } catch (error) {
      for (const { messageId } of reports) failed.add(messageId);
      deps.log.error(`agent ${agentId} could not be told to end stray tasks; its reports come again`, {
        agentId,
        taskIds: [...new Set(reports.map(({ status }) => status.taskId))],
        error,
      });
    }
  });
}
