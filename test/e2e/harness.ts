// A real installation for end-to-end tests: the embedded stack, agents as real child processes, the real command line.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { type LocalStack, startLocalStack } from '../../local/stack.ts';
import { type ApiClient, createApiClient } from '../../shared/api/client.ts';
import type { JobDetail, TaskView } from '../../shared/api/views.ts';

const bin = fileURLToPath(new URL('../../cli/bin/borealis.mjs', import.meta.url));
const patienceMs = 60_000;
// Real processes on a loaded machine: the waits below are bounded by patienceMs each, not by the runner's default.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Installation {
  readonly stack: LocalStack;
  readonly api: ApiClient;
  readonly dir: string;
  /** Runs the command line against this installation. */
  cli(...args: readonly string[]): Promise<CliResult>;
  startAgent(id: string, extra?: readonly string[]): Promise<ChildProcess>;
  job(name: string): Promise<JobDetail>;
  stop(): Promise<void>;
}

/** Starts a stack on a free port with the named agents. */
export async function startInstallation(
  agentIds: readonly string[],
  options: { readonly dataDir?: string } = {},
): Promise<Installation> {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-e2e-'));
  const stack = await startLocalStack({ port: 0, ...options });
  const env = {
    ...process.env,
    BOREALIS_API: stack.apiUrl,
    NO_COLOR: '1',
    AWS_ENDPOINT_URL_SQS: stack.sqsEndpoint,
  };
  const agents = new Set<ChildProcess>();
  const api = createApiClient({ baseUrl: stack.apiUrl });
  const installation: Installation = {
    stack,
    api,
    dir,
    cli: (...args) => run(args, env),
    async startAgent(id, extra = []) {
      const index = agents.size;
      const child = spawn(
        process.execPath,
        [
          bin,
          ...['agent', 'run', '--id', id, '--host', id, '--kill-tasks-on-stop', '--stop-with-stdin'],
          ...['--cpu', '4', '--ram', '4GiB', '--disk', '10GiB', '--work-dir', join(dir, id)],
          ...['--ports', `${33_000 + index * 200}-${33_199 + index * 200}`],
          ...extra,
        ],
        { env, stdio: ['pipe', 'ignore', 'inherit'] },
      );
      child.stdin?.on('error', () => undefined);
      agents.add(child);
      await until(`${id} to register`, async () => {
        const { agents: known } = await api.call('listAgents', { query: {} });
        return known.some((agent) => agent.agentId === id);
      });
      return child;
    },
    job: (name) => api.call('getJob', { params: { role: 'demo', environment: 'devel', name }, query: {} }),
    async stop() {
      await Promise.all([...agents].map(endAgent));
      await stack.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    for (const id of agentIds) await installation.startAgent(id);
  } catch (error) {
    await installation.stop();
    throw error;
  }
  return installation;
}

async function endAgent(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await gone;
  clearTimeout(hard);
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CliResult> {
  const child = spawn(process.execPath, [bin, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

/** Waits until `check` answers something truthy and answers that; fails with what was waited for. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = Date.now() + patienceMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await check();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${patienceMs} ms for ${what}; last: ${String(last)}`, { cause: last });
}

/** The active task of an instance. */
export function active(detail: JobDetail, instance: number): TaskView | undefined {
  return detail.tasks.find(
    (task) => task.instance === instance && !['FINISHED', 'FAILED', 'KILLED', 'LOST'].includes(task.state),
  );
}

/** Process ids whose command line or environment names the text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const shown =
          readFileSync(`/proc/${name}/cmdline`, 'utf8') + readFileSync(`/proc/${name}/environ`, 'utf8');
        return shown.includes(text) && Number(name) !== process.pid ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
}
