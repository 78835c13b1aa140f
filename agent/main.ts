// The agent: offers this machine, runs the tasks it is given, reports what becomes of them. Started by
// `borealis agent run` and, in one process with the control plane, by the embedded stack.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { isBorealisError } from '../shared/lib/errors.ts';
import type { Offer } from '../shared/model/agent.ts';
import type { AgentCommand, AgentReport } from '../shared/model/protocol.ts';
import type { AgentLog } from './log.ts';
import { errorText, stderrLog } from './log.ts';
import type { KnownTask } from './loop/reconcile.ts';
import { noAbsences, planReconcile } from './loop/reconcile.ts';
import { pause, repeat } from './loop/repeat.ts';
import { StatusReporter } from './loop/status-reporter.ts';
import type { Observer } from './observer/observer.ts';
import { startObserver } from './observer/observer.ts';
import { measureOffer } from './offer.ts';
import type { AgentOptions, AgentTimings } from './options.ts';
import { defaultDiskThreshold, defaultRetentionMs, defaultTimings } from './options.ts';
import { cgroupParent } from './runtime/cgroup-parent.ts';
import { FinishedTasks } from './tasks/finished-tasks.ts';
import { collectSandboxes, usedShareOf } from './tasks/sandbox-gc.ts';
import { TaskSupervisor } from './tasks/task-supervisor.ts';
import type { AgentTransport } from './transport.ts';
import { lockWorkDir } from './work-dir-lock.ts';

export type { AgentOptions } from './options.ts';

/** Software version agents register with. */
const agentVersion = '0.1.0';
/** Longest wait for the last statuses when the agent stops, ms. */
const lastReportMs = 5000;
const firstRetryMs = 200;
const longestRetryMs = 5000;

/** An agent that is running. */
export interface RunningAgent {
  readonly agentId: string;
  readonly sessionId: string;
  readonly offer: Offer;
  /** Address of the log server, if it has one. */
  readonly observerUrl: string | undefined;
  /**
   * Ends the agent and resolves once it has let go of everything. Tasks go on unless `killTasks` (default: the option
   * `killTasksOnStop`) is true; then they are ended and nothing of them is left.
   */
  stop(how?: { readonly killTasks?: boolean }): Promise<void>;
}

/** What the loops of an agent share. */
interface AgentParts {
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

/**
 * Starts an agent: adopts the tasks of an earlier run in the same work directory, registers, then obeys. Resolves once
 * it runs; whether the control plane can be reached makes no difference. Throws CONFLICT if another agent has the work
 * directory.
 */
export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const workDir = resolve(options.workDir);
  const unlock = lockWorkDir(workDir);
  try {
    return await startAgent({ ...options, workDir }, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function startAgent(options: AgentOptions, unlock: () => void): Promise<RunningAgent> {
  const log = options.log ?? stderrLog;
  const stopping = new AbortController();
  const sessionId = randomUUID();
  const { transport, close } = await openTransport(options, log);
  const envelope = () => ({ v: 1, agentId: options.agentId, sessionId, sentAt: Date.now() }) as const;
  const timings = { ...defaultTimings, ...options.timings };
  const reporter = new StatusReporter(
    (statuses) => transport.send({ ...envelope(), kind: 'status', statuses }),
    timings.flushMs,
    log,
  );
  const finished = new FinishedTasks(options.workDir);
  const supervisor = makeSupervisor(options, timings, finished, reporter, log);
  const observer = await openObserver(options, supervisor);
  const offer = await measureOffer({
    ...options,
    pool: options.pool ?? 'default',
    host: options.host,
    attributes: { ...options.attributes, ...(observer ? { observer: [observer.url] } : {}) },
    version: agentVersion,
  });
  const parts = { agentId: options.agentId, sessionId, offer, transport, supervisor, reporter, finished };
  const loops = startLoops({ ...parts, timings, log, signal: stopping.signal }, options, envelope);
  return {
    agentId: options.agentId,
    sessionId,
    offer,
    observerUrl: observer?.url,
    stop: async (how = {}) => {
      if (stopping.signal.aborted) return;
      stopping.abort();
      await loops;
      if (how.killTasks ?? options.killTasksOnStop) await supervisor.killEverything(timings.stopBudgetMs);
      supervisor.stop();
      await reporter.stop(lastReportMs);
      await observer?.close();
      close();
      unlock();
    },
  };
}

async function openTransport(
  options: AgentOptions,
  log: AgentLog,
): Promise<{ transport: AgentTransport; close: () => void }> {
  if (options.transport) return { transport: options.transport, close: () => {} };
  const { createSqsTransport } = await import('./sqs-transport.ts');
  const transport = createSqsTransport({ ...options, log });
  return { transport, close: () => transport.close() };
}

function makeSupervisor(
  options: AgentOptions,
  timings: AgentTimings,
  finished: FinishedTasks,
  reporter: StatusReporter,
  log: AgentLog,
): TaskSupervisor {
  mkdirSync(options.workDir, { recursive: true });
  const parent = cgroupParent(options.cgroup ?? 'auto', options.agentId);
  return new TaskSupervisor({
    workDir: options.workDir,
    finished,
    log,
    now: Date.now,
    onStatus: (status, accepted) => reporter.report(status, accepted),
    settings: {
      hostname: options.host ?? hostname(),
      path: options.taskPath ?? process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
      runAsRole: options.runAsRole ?? false,
      memoryPollMs: timings.memoryPollMs,
      diskPollMs: timings.diskPollMs,
      killBudgetMs: timings.killBudgetMs,
      ...(parent === undefined ? {} : { cgroupParent: parent }),
    },
  });
}

async function openObserver(
  options: AgentOptions,
  supervisor: TaskSupervisor,
): Promise<Observer | undefined> {
  if (options.observer === false) return undefined;
  const { host = '127.0.0.1', port = 0 } = options.observer ?? {};
  const tasks = { all: () => supervisor.all(), find: (taskId: string) => supervisor.find(taskId) };
  return startObserver(tasks, host, port);
}

type Envelope = () => Pick<AgentReport, 'v' | 'agentId' | 'sessionId' | 'sentAt'>;

/** Starts everything an agent does; resolves when all of it has ended after the signal. */
async function startLoops(parts: AgentParts, options: AgentOptions, envelope: Envelope): Promise<void> {
  const { timings, signal, log, transport, supervisor } = parts;
  const every = (name: string, intervalMs: number, work: () => Promise<void>) =>
    repeat(name, intervalMs, signal, log, work);
  supervisor.start();
  const register = every('registration', timings.registerMs, () =>
    retried(parts, 'registration', () =>
      transport.send({ ...envelope(), kind: 'register', offer: parts.offer }),
    ),
  );
  const heartbeat = every('heartbeat', timings.heartbeatMs, () =>
    transport.send({ ...envelope(), kind: 'heartbeat' }),
  );
  let absences = noAbsences;
  const reconcile = every('reconcile', timings.reconcileMs, async () => {
    try {
      absences = await reconcileOnce(parts, absences);
    } catch (error) {
      if (isBorealisError(error, 'NOT_FOUND')) register.now();
      throw error;
    }
  });
  const gc = every('sandbox collection', timings.sandboxGcMs, () => collect(parts, options));
  const commands = receiveCommands(parts, () => reconcile.now());
  await Promise.all([register.ended, heartbeat.ended, reconcile.ended, gc.ended, commands]);
}

/** Fetches the level and acts on the difference. A failure to fetch changes nothing. */
async function reconcileOnce(parts: AgentParts, absences: typeof noAbsences): Promise<typeof noAbsences> {
  const { supervisor, finished, transport, reporter, timings, signal } = parts;
  const requestedAt = Date.now();
  const desired = await transport.desired(signal);
  const plan = planReconcile({
    desired,
    requestedAt,
    active: supervisor.active().map(knownOf),
    endedTask: (taskId) => {
      const task = supervisor.find(taskId);
      if (task) return knownOf(task);
      const final = finished.get(taskId);
      if (!final) return undefined;
      // Its folder is gone, so when it was accepted is no longer known; its end is the nearest guess.
      const isWaiting = reporter.isWaiting(taskId, final.state);
      const ended = isWaiting ? {} : { acceptedAt: final.at };
      return { taskId, launchedAt: final.at, isKillRequested: false, ended };
    },
    absences,
    resendAfterMs: timings.reconcileMs,
    now: Date.now(),
  });
  for (const launch of plan.start) supervisor.launch(launch);
  for (const taskId of plan.kill) supervisor.kill(taskId);
  for (const taskId of plan.resend) supervisor.kill(taskId);
  return plan.absences;
}

function knownOf(task: ReturnType<TaskSupervisor['all']>[number]): KnownTask {
  const { taskId, launchedAt, isKillRequested, final, finalAcceptedAt } = task;
  return {
    taskId,
    launchedAt,
    isKillRequested,
    ...(final ? { ended: finalAcceptedAt === undefined ? {} : { acceptedAt: finalAcceptedAt } } : {}),
  };
}

/** Takes commands from the queue; after a gap the level is fetched, since a command may have been missed. */
async function receiveCommands(parts: AgentParts, onGapEnded: () => void): Promise<void> {
  const { transport, signal, log } = parts;
  let retryMs = firstRetryMs;
  let hasFailed = false;
  while (!signal.aborted) {
    try {
      const received = await transport.receive(signal);
      if (hasFailed) onGapEnded();
      hasFailed = false;
      retryMs = firstRetryMs;
      for (const { command, ack } of received) {
        obey(parts.supervisor, command);
        await ack().catch((error: unknown) =>
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

function obey(supervisor: TaskSupervisor, command: AgentCommand): void {
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
