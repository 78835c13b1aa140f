// A real installation for end-to-end tests: a control plane, agents as real child processes, the real command line.
// One suite, two targets: the embedded stack, started for the test; or what was deployed, named by BOREALIS_E2E_API
// (base URL) and AWS_ENDPOINT_URL_SQS, which `npm run test:deploy` sets.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import type { AgentTimings } from '../../agent/options.ts';
import { type LocalStack, startLocalStack } from '../../local/stack.ts';
import { type ApiClient, createApiClient } from '../../shared/api/client.ts';
import type { JobDetail, TaskView } from '../../shared/api/views.ts';

const bin = fileURLToPath(new URL('../../cli/bin/borealis.mjs', import.meta.url));
const timedAgent = fileURLToPath(new URL('./timed-agent.ts', import.meta.url));
const patienceMs = 60_000;
// Real processes on a loaded machine: the waits below are bounded by patienceMs each, not by the runner's default.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Installation {
  readonly apiUrl: string;
  readonly api: ApiClient;
  readonly dir: string;
  readonly cluster: string;
  /** Where its queues are, and its event buses and state machines. */
  readonly endpoints: { readonly sqs: string; readonly aws: string };
  /** Runs the command line against this installation. */
  cli(...args: readonly string[]): Promise<CliResult>;
  /** Starts it, again if it was there, and waits until it is registered. */
  startAgent(id: string, extra?: readonly string[]): Promise<ChildProcess>;
  /** The same without the wait, for times when the control plane may not answer. */
  spawnAgent(id: string, extra?: readonly string[]): Promise<ChildProcess>;
  job(name: string): Promise<JobDetail>;
  stop(): Promise<void>;
}

/** An installation whose engines can be stopped: only there can their faults be tested. */
export interface EmbeddedInstallation extends Installation {
  readonly stack: LocalStack;
}

/** A control plane that runs. */
interface ControlPlane {
  readonly apiUrl: string;
  readonly cluster: string;
  readonly sqsEndpoint: string;
  /** EventBridge and Step Functions. */
  readonly awsEndpoint: string;
  stop(): Promise<void>;
}

interface Target extends ControlPlane {
  /** Agents every installation starts, besides those it names. */
  readonly fleet: readonly string[];
  /** Ends what the installation left there, while its agents are alive to do it. */
  clear(installation: Installation): Promise<void>;
}

/** The installation the environment asks for, with the named agents. */
export async function startInstallation(
  agentIds: readonly string[],
  options: EmbeddedOptions = {},
): Promise<Installation> {
  const apiUrl = process.env.BOREALIS_E2E_API;
  return apiUrl === undefined
    ? startEmbedded(agentIds, options)
    : install(deployed(apiUrl), agentIds, options.agentTimings);
}

interface EmbeddedOptions {
  readonly dataDir?: string;
  readonly log?: (line: string) => void;
  /** Modules with more stacks; a deployed installation has them from `npm run test:deploy`. */
  readonly stacks?: readonly string[];
  /** Variables of the functions, such as deadlines that a test cannot wait for. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Other intervals than agents have. */
  readonly agentTimings?: Partial<AgentTimings>;
}

/** An embedded stack on free ports with the named agents. */
export async function startEmbedded(
  agentIds: readonly string[],
  options: EmbeddedOptions = {},
): Promise<EmbeddedInstallation> {
  const stack = await startLocalStack({ port: 0, ...options });
  const { apiUrl, sqsEndpoint, cluster } = stack;
  const { awsEndpoint } = await stack.stats();
  const controlPlane = { apiUrl, sqsEndpoint, awsEndpoint, cluster, stop: () => stack.stop() };
  return { ...(await installOn(controlPlane, agentIds, options.agentTimings)), stack };
}

/** Agents on a control plane that is the caller's own, and ends with them. */
export function installOn(
  controlPlane: ControlPlane,
  agentIds: readonly string[],
  agentTimings?: Partial<AgentTimings>,
): Promise<Installation> {
  const target = { ...controlPlane, fleet: [], clear: async () => undefined };
  return install(target, agentIds, agentTimings);
}

/**
 * What was deployed outlives the installations on it. An agent that left still counts as one with room, so each
 * installation runs the same fleet; and each ends its jobs.
 */
function deployed(apiUrl: string): Target {
  const sqsEndpoint = process.env.AWS_ENDPOINT_URL_SQS;
  if (!sqsEndpoint)
    throw new Error('BOREALIS_E2E_API is set, so AWS_ENDPOINT_URL_SQS must say where its SQS is');
  return {
    apiUrl,
    sqsEndpoint,
    awsEndpoint: process.env.AWS_ENDPOINT_URL ?? sqsEndpoint,
    // The one that scripts/test-deploy.ts deploys, and the embedded stack's default.
    cluster: 'local',
    fleet: ['agent-a', 'agent-b'],
    async clear(installation) {
      const { api } = installation;
      const { jobs } = await api.call('listJobs', { query: {} });
      for (const { key, role, environment, name } of jobs) {
        const { counts } = await api.call('getJob', { params: { role, environment, name }, query: {} });
        if (counts.pending + counts.active === 0) continue;
        const ended = await installation.cli('job', 'killall', key, '--yes', '--wait');
        if (ended.code !== 0) throw new Error(`${key} did not end: ${ended.stderr}`);
      }
    },
    stop: async () => undefined,
  };
}

async function install(
  target: Target,
  agentIds: readonly string[],
  agentTimings?: Partial<AgentTimings>,
): Promise<Installation> {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-e2e-'));
  const { apiUrl } = target;
  const env = {
    ...process.env,
    BOREALIS_API: apiUrl,
    NO_COLOR: '1',
    AWS_ENDPOINT_URL_SQS: target.sqsEndpoint,
  };
  const agents = new Map<string, ChildProcess>();
  const api = createApiClient({ baseUrl: apiUrl });
  const lastSeen = async (id: string): Promise<string | null | undefined> => {
    const { agents: known } = await api.call('listAgents', { query: {} });
    return known.find((agent) => agent.agentId === id)?.lastSeenAt;
  };
  const installation: Installation = {
    apiUrl,
    api,
    dir,
    cluster: target.cluster,
    endpoints: { sqs: target.sqsEndpoint, aws: target.awsEndpoint },
    cli: (...args) => run(args, env),
    async startAgent(id, extra = []) {
      const before = await lastSeen(id);
      const child = await installation.spawnAgent(id, extra);
      await until(`${id} to register`, async () => {
        const seen = await lastSeen(id);
        return seen !== undefined && seen !== before;
      });
      return child;
    },
    async spawnAgent(id, extra = []) {
      const index = agents.has(id) ? [...agents.keys()].indexOf(id) : agents.size;
      await endAgent(agents.get(id));
      const program = agentTimings ? [timedAgent, JSON.stringify(agentTimings)] : [bin, 'agent', 'run'];
      const child = spawn(process.execPath, [...program, ...agentOptions(id, index, dir), ...extra], {
        env,
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      child.stdin?.on('error', () => undefined);
      agents.set(id, child);
      return child;
    },
    job: (name) => api.call('getJob', { params: { role: 'demo', environment: 'devel', name }, query: {} }),
    async stop() {
      try {
        await target.clear(installation);
      } finally {
        await Promise.all([...agents.values()].map(endAgent));
        await target.stop();
        rmSync(dir, { recursive: true, force: true });
      }
    },
  };
  try {
    for (const id of new Set([...agentIds, ...target.fleet])) await installation.startAgent(id);
  } catch (error) {
    await installation.stop();
    throw error;
  }
  return installation;
}

// Somewhere below the ports the system hands out by itself, and not where another run on this machine would look too.
const firstPort = 10_000 + 500 * Math.floor(Math.random() * 40);

function agentOptions(id: string, index: number, dir: string): string[] {
  const low = firstPort + index * 100;
  const ports = `${low}-${low + 99}`;
  const capacity = ['--cpu', '4', '--ram', '4GiB', '--disk', '10GiB', '--ports', ports];
  const bounds = [
    '--kill-tasks-on-stop',
    '--stop-with-stdin',
    '--kill-wait',
    '5s',
    '--work-dir',
    join(dir, id),
  ];
  return ['--id', id, '--host', id, ...capacity, ...bounds];
}

async function endAgent(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
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
  forMs = patienceMs,
): Promise<T> {
  const end = Date.now() + forMs;
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
  throw new Error(`waited ${forMs} ms for ${what}; last: ${String(last)}`, { cause: last });
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
