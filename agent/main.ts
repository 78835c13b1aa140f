// The agent: offers this machine, runs the tasks it is given, reports what becomes of them. Started by
// `borealis agent run` and, in one process with the control plane, by the embedded stack.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import type { Offer } from '../shared/model/agent.ts';
import type { AgentLog } from './log.ts';
import { stderrLog } from './log.ts';
import { startLoops } from './loop/agent-loops.ts';
import { StatusReporter } from './loop/status-reporter.ts';
import type { Observer } from './observer/observer.ts';
import { startObserver } from './observer/observer.ts';
import { anyReader, readersByUser } from './observer/readers.ts';
import { measureOffer } from './offer.ts';
import type { AgentOptions, AgentTimings } from './options.ts';
import { defaultTimings } from './options.ts';
import { cgroupParent } from './runtime/cgroup-parent.ts';
import { FinishedTasks } from './tasks/finished-tasks.ts';
import { TaskSupervisor } from './tasks/task-supervisor.ts';
import { TaskUsers } from './tasks/task-users.ts';
import type { AgentTransport } from './transport.ts';
import { lockWorkDir } from './work-dir-lock.ts';

export type { AgentOptions } from './options.ts';

/** Longest wait for the last statuses when the agent stops, ms. */
const lastReportMs = 5000;

/** An agent that is running. */
export interface RunningAgent {
  readonly agentId: string;
  readonly sessionId: string;
  readonly offer: Offer;
  /** Address of the log server, if it has one. */
  readonly observerUrl: string | undefined;
  /** Tells the control plane that this machine will go, so that it is emptied; rejects if that was not taken. */
  reportLeaving(leaving: { readonly reason: string; readonly terminatesAt?: number }): Promise<void>;
  /**
   * Ends the agent and resolves once it has let go of everything. Tasks go on unless `killTasks` (default: the option
   * `killTasksOnStop`) is true; then they are ended and nothing of them is left.
   */
  stop(how?: { readonly killTasks?: boolean }): Promise<void>;
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
  supervisor.start();
  const observer = await openObserver(options, supervisor);
  const offer = await measureOffer({
    ...options,
    pool: options.pool ?? 'default',
    host: options.host,
    attributes: { ...options.attributes, ...(observer ? { observer: [observer.url] } : {}) },
    version: packageJson.version,
  });
  const parts = { agentId: options.agentId, sessionId, offer, transport, supervisor, reporter, finished };
  const loops = startLoops({ ...parts, timings, log, signal: stopping.signal }, options, envelope);
  return {
    agentId: options.agentId,
    sessionId,
    offer,
    observerUrl: observer?.url,
    reportLeaving: (leaving) => transport.send({ ...envelope(), kind: 'leaving', ...leaving }),
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
  const accounts = isGivingUsers(options) ? options.taskAccounts : undefined;
  return new TaskSupervisor({
    workDir: options.workDir,
    finished,
    ...(accounts && { users: new TaskUsers(options.workDir, accounts) }),
    log,
    now: Date.now,
    onStatus: (status, accepted) => reporter.report(status, accepted),
    settings: {
      hostname: options.host ?? hostname(),
      path: options.taskPath ?? process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      runAsRole: options.runAsRole ?? false,
      ...(options.taskUser === undefined ? {} : { taskUser: options.taskUser }),
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
  const findReader = isGivingUsers(options) ? readersByUser(tasks.all) : anyReader;
  return startObserver(tasks, { host, port, findReader });
}

/** Do tasks run as other users than the agent? */
function isGivingUsers({ runAsRole }: AgentOptions): boolean {
  return runAsRole === true && process.getuid?.() === 0;
}
