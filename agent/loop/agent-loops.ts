// What an agent does all the time: registers, sends heartbeats, obeys commands, reconciles with the level, collects old
// sandboxes. Every loop survives failures of the control plane; none of them ends a task because of one.
import { isBorealisError } from '../../shared/lib/errors.ts';
import type { Offer } from '../../shared/model/agent.ts';
import type { AgentCommand, AgentReport } from '../../shared/model/protocol.ts';
import type { AgentLog } from '../log.ts';
import { errorText } from '../log.ts';
import type { AgentOptions, AgentTimings } from '../options.ts';
import { defaultDiskThreshold, defaultRetentionMs, idleTurns } from '../options.ts';
import type { FinishedTasks } from '../tasks/finished-tasks.ts';
import { collectSandboxes, usedShareOf } from '../tasks/sandbox-gc.ts';
import type { TaskSupervisor } from '../tasks/task-supervisor.ts';
import type { AgentTransport } from '../transport.ts';
import type { KnownTask } from './reconcile.ts';
import { noAbsences, planReconcile } from './reconcile.ts';
import { pause, repeat } from './repeat.ts';
import type { StatusReporter } from './status-reporter.ts';

const firstRetryMs = 200;
const longestRetryMs = 5000;
/** Answers in a row that another process has taken this one's place, before the tasks here are ended. */
const refusalsToStop = 2;

/** What the loops of an agent share. */
export interface AgentParts {
  readonly agentId: string;
  readonly sessionId: string;
  readonly offer: Offer;
  readonly transport: AgentTransport;
  readonly supervisor: TaskSupervisor;
  readonly reporter: StatusReporter;
  readonly finished: FinishedTasks;
  readonly timings: AgentTimings;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

type Envelope = () => Pick<AgentReport, 'v' | 'agentId' | 'sessionId' | 'sentAt'>;

/** Starts everything an agent does; resolves when all of it has ended after the signal. */
export async function startLoops(
  parts: AgentParts,
  options: AgentOptions,
  envelope: Envelope,
): Promise<void> {
  const { timings, signal, log, transport } = parts;
  const every = (name: string, intervalMs: number, work: () => Promise<void>) =>
    repeat(name, intervalMs, signal, log, work);
  const register = every('registration', timings.registerMs, () =>
    retried(parts, 'registration', () =>
      transport.send({ ...envelope(), kind: 'register', offer: parts.offer }),
    ),
  );
  const heartbeat = every('heartbeat', timings.heartbeatMs, () =>
    transport.send({ ...envelope(), kind: 'heartbeat', tasks: parts.supervisor.active().length }),
  );
  let absences = noAbsences;
  let turns = 0;
  let refusals = 0;
  const reconcile = every('reconcile', timings.reconcileMs, async () => {
    // Without tasks, here and in the level, nothing can be wrong but a lost launch, and its queue is watched all the time.
    const isIdle = parts.supervisor.active().length === 0;
    if (isIdle && turns++ % idleTurns !== 0) return;
    try {
      const seen = await reconcileOnce(parts, absences);
      absences = seen.absences;
      if (seen.listed > 0) turns = 0;
      refusals = 0;
    } catch (error) {
      turns = 0;
      if (isBorealisError(error, 'NOT_FOUND')) register.now();
      refusals = isBorealisError(error, 'CONFLICT') ? refusals + 1 : 0;
      if (refusals >= refusalsToStop) giveWay(parts);
      throw error;
    }
  });
  const gc = every('sandbox collection', timings.sandboxGcMs, () => collect(parts, options));
  const isReplaced = () => refusals > 0;
  const commands = receiveCommands(parts, isReplaced, () => {
    turns = 0;
    reconcile.now();
  });
  await Promise.all([register.ended, heartbeat.ended, reconcile.ended, gc.ended, commands]);
}

/** Another machine is this agent now and has reported these tasks as lost: running on would be running twice. */
function giveWay({ supervisor, agentId, log }: AgentParts): void {
  log('error', 'another machine has taken over this agent id; the tasks here are ended', { agentId });
  for (const task of supervisor.active()) supervisor.kill(task.taskId);
}

interface LevelSeen {
  readonly absences: typeof noAbsences;
  /** Tasks the level lists, running here or not. */
  readonly listed: number;
}

/** Fetches the level and acts on the difference. A failure to fetch changes nothing. */
async function reconcileOnce(parts: AgentParts, absences: typeof noAbsences): Promise<LevelSeen> {
  const { supervisor, finished, transport, reporter, timings, signal } = parts;
  const requestedAt = Date.now();
  const activeThen = new Set(supervisor.active().map(({ taskId }) => taskId));
  const desired = await transport.desired(parts.sessionId, signal);
  const plan = planReconcile({
    desired,
    requestedAt,
    activeThen,
    active: supervisor.active().map(knownOf),
    endedTask: (taskId) => {
      const task = supervisor.find(taskId);
      if (task) return knownOf(task);
      const final = finished.get(taskId);
      if (!final) return undefined;
      // Its folder is gone, so when it was accepted is no longer known; its end is the nearest guess.
      const isWaiting = reporter.isWaiting(taskId, final.state);
      const ended = isWaiting ? {} : { acceptedAt: final.at };
      return { taskId, isKillRequested: false, ended };
    },
    absences,
    resendAfterMs: timings.reconcileMs,
    now: Date.now(),
  });
  for (const launch of plan.start) supervisor.launch(launch);
  for (const taskId of plan.kill) supervisor.kill(taskId);
  for (const taskId of plan.resend) supervisor.kill(taskId);
  for (const taskId of plan.tell) supervisor.tell(taskId);
  for (const taskId of plan.lost) supervisor.giveUp(taskId);
  return { absences: plan.absences, listed: desired.tasks.length };
}

function knownOf(task: ReturnType<TaskSupervisor['all']>[number]): KnownTask {
  const { taskId, isKillRequested, final, finalAcceptedAt, last } = task;
  return {
    taskId,
    isKillRequested,
    ...(last && { last }),
    ...(final ? { ended: finalAcceptedAt === undefined ? {} : { acceptedAt: finalAcceptedAt } } : {}),
  };
}

/** Takes commands from the queue; after a gap the level is fetched, since a command may have been missed. */
async function receiveCommands(
  parts: AgentParts,
  isReplaced: () => boolean,
  reconcile: () => void,
): Promise<void> {
  const { transport, signal, log } = parts;
  let retryMs = firstRetryMs;
  let hasFailed = false;
  while (!signal.aborted) {
    if (isReplaced()) {
      // The queue is another machine's by now; what is in it is not for this one.
      await pause(longestRetryMs, signal);
      continue;
    }
    try {
      const received = await transport.receive(signal);
      if (hasFailed) reconcile();
      hasFailed = false;
      retryMs = firstRetryMs;
      for (const message of received) {
        if (message.command.kind === 'reconcile') reconcile();
        else obey(parts.supervisor, message.command);
        await message
          .ack()
          .catch((error: unknown) =>
            log('warn', 'a command was not acknowledged; it will come again', { error: errorText(error) }),
          );
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!hasFailed) log('warn', 'no commands can be received; trying again', { error: errorText(error) });
      hasFailed = true;
      await pause(retryMs, signal);
      retryMs = Math.min(longestRetryMs, retryMs * 2);
    }
  }
}

function obey(supervisor: TaskSupervisor, command: Exclude<AgentCommand, { kind: 'reconcile' }>): void {
  if (command.kind === 'launch') for (const launch of command.tasks) supervisor.launch(launch);
  else for (const taskId of command.taskIds) supervisor.kill(taskId);
}

async function retried(parts: AgentParts, what: string, work: () => Promise<void>): Promise<void> {
  for (let retryMs = firstRetryMs; !parts.signal.aborted; retryMs = Math.min(longestRetryMs, retryMs * 2)) {
    try {
      await work();
      return;
    } catch (error) {
      parts.log('warn', `${what} failed; trying again`, { error: errorText(error), retryMs });
      await pause(retryMs, parts.signal);
    }
  }
}

/** Removes files of tasks that ended long ago (or sooner on a full disk) and whose end the control plane has. */
async function collect(parts: AgentParts, options: AgentOptions): Promise<void> {
  const ended = parts.supervisor.all().filter((task) => task.final && task.finalAcceptedAt !== undefined);
  const removed = await collectSandboxes(
    ended.map((task) => ({ taskId: task.taskId, endedAt: task.final?.at ?? 0 })),
    {
      retentionMs: options.sandboxRetentionMs ?? defaultRetentionMs,
      diskThreshold: options.diskThreshold ?? defaultDiskThreshold,
    },
    Date.now(),
    () => usedShareOf(options.workDir),
    async (taskId) => {
      const task = parts.supervisor.find(taskId);
      if (task) await parts.supervisor.remove(task);
    },
  );
  if (removed.length > 0) parts.log('info', 'removed files of ended tasks', { tasks: removed.length });
}
