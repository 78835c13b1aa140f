// An agent in a temporary directory with a control plane in memory; everything of it is gone after the test.
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import type { AgentOptions, RunningAgent } from '../../../agent/main.ts';
import { runAgent } from '../../../agent/main.ts';
import { readCheckpoint } from '../../../agent/runtime/checkpoint.ts';
import { taskPaths } from '../../../agent/runtime/layout.ts';
import { hasInEnvironment } from '../../../agent/runtime/procfs.ts';
import type { TaskLaunch, TaskStatus } from '../../../shared/model/protocol.ts';
import { MemoryTransport } from './memory-transport.ts';

/** Generous, for a loaded machine. */
const patienceMs = 25_000;

export interface AgentFixture {
  readonly agent: RunningAgent;
  readonly transport: MemoryTransport;
  readonly workDir: string;
  readonly launch: (launch: TaskLaunch) => void;
  readonly kill: (launch: TaskLaunch) => void;
  /** Waits until the task was reported in this state. */
  readonly reported: (launch: TaskLaunch, state: TaskStatus['state']) => Promise<TaskStatus>;
  /** Text of a log in the sandbox; empty while there is none. */
  readonly log: (launch: TaskLaunch, process: string, run?: number, stream?: string) => string;
  readonly sandbox: (launch: TaskLaunch) => string;
}

/** A directory that is removed when the test ends; the test fails if processes are left in it. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-agent-'));
  onTestFinished(async () => {
    await waitFor(() => expect(processesIn(dir), 'processes left behind').toEqual([]));
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  return dir;
}

/** Command lines of live processes whose working directory is in the directory. */
function processesIn(dir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isIn = readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
        return isIn ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
      } catch {
        return [];
      }
    });
}

export async function startAgent(
  options: Partial<AgentOptions> = {},
  transport = new MemoryTransport(),
): Promise<AgentFixture> {
  const workDir = options.workDir ?? temporaryDir();
  const agent = await runAgent({
    agentId: 'agent-1',
    cluster: 'test',
    host: 'host-1',
    api: 'http://127.0.0.1:9',
    intakeQueueUrl: 'http://127.0.0.1:9/intake',
    transport,
    workDir,
    capacity: { gpus: [] },
    log: () => {},
    ...options,
    timings: { killBudgetMs: 5000, flushMs: 5, ...options.timings },
  });
  onTestFinished(() => agent.stop({ killTasks: true }));
  return {
    agent,
    transport,
    workDir,
    launch: (launch) => transport.command({ v: 1, kind: 'launch', tasks: [launch] }),
    kill: (launch) => transport.command({ v: 1, kind: 'kill', taskIds: [launch.taskId] }),
    reported: (launch, state) =>
      waitFor(() => {
        const statuses = transport.statusesOf(launch.taskId);
        const status = statuses.find((each) => each.state === state);
        const end = statuses.find((each) => !['STARTING', 'RUNNING'].includes(each.state));
        if (!status && end) throw new Error(`ended as ${end.state}: ${end.message}`);
        expect(status, `no ${state} among ${JSON.stringify(statuses)}`).toBeDefined();
        return status as TaskStatus;
      }),
    log: (launch, process, run = 0, stream = 'stdout') =>
      readIfThere(join(taskPaths(workDir, launch.taskId).sandbox, '.logs', process, String(run), stream)),
    sandbox: (launch) => taskPaths(workDir, launch.taskId).sandbox,
  };
}

/** Tries again until it doesn't throw. */
export function waitFor<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: patienceMs, interval: 20 });
}

/** Pids of live processes that carry the task's mark. */
export function processesOf(launch: TaskLaunch): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => hasInEnvironment(pid, `BOREALIS_TASK_ID=${launch.taskId}`));
}

/** Names of processes in the order of their starts, from the checkpoint. */
export function startsOf(workDir: string, launch: TaskLaunch): string[] {
  return readCheckpoint(taskPaths(workDir, launch.taskId).checkpoint).flatMap((record) =>
    record.t === 'process' && record.state === 'RUNNING' ? [record.name] : [],
  );
}

export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
