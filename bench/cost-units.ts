// Counts what AWS would bill, on the embedded stack: the life of a task, an update, an idle control plane, idle agents
// (real ones, with their default timings). `borealis cost` prices what this writes.
//
//   node bench/cost-units.ts [--idle-seconds 240] [--seconds 480] [--agents 5] [--tasks 1000] [--write]
//     [--parts tasks,updates,idle]
//
// `--seconds`: how long idle agents are watched; each asks for its list every 450 s. `--parts`: what is counted anew.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { App } from 'aws-cdk-lib';
import type { RunningAgent } from '../agent/main.ts';
import { readUnits } from '../cli/commands/cost.ts';
import { addUsage, type Units, type Usage } from '../cli/cost/usage.ts';
import { replayAtOnce } from '../cli/replay/run.ts';
import { addBorealis } from '../infra/borealis.ts';
import { type LocalStack, startLocalStack } from '../local/stack.ts';
import { createApiClient } from '../shared/api/client.ts';
import { metricTable } from '../shared/model/metrics.ts';
import { startCountedAgent } from './counted-agent.ts';
import { notBelowZero, splitFleet } from './split-fleet.ts';
import { startServiceFleet, updateJob } from './updated-job.ts';
import { readUsage, usedBetween } from './usage-counter.ts';

const { values } = parseArgs({
  options: {
    'idle-seconds': { type: 'string', default: '240' },
    seconds: { type: 'string', default: '480' },
    agents: { type: 'string', default: '5' },
    tasks: { type: 'string', default: '1000' },
    parts: { type: 'string', default: 'tasks,updates,idle' },
    write: { type: 'boolean', default: false },
  },
});
const idleSeconds = Number(values['idle-seconds']);
const seconds = Number(values.seconds);
const agentCount = Number(values.agents);
const taskCount = Number(values.tasks);
const parts = values.parts.split(',');
const taskAgents = 20;

// Lines and numbers are counted as they are deployed.
process.env.POWERTOOLS_LOG_LEVEL = 'INFO';
process.env.POWERTOOLS_METRICS_DISABLED = 'false';
let logBytes = 0;

async function withStack<T>(work: (stack: LocalStack) => Promise<T>): Promise<T> {
  const stack = await startLocalStack({
    port: 0,
    log: (line) => {
      // CloudWatch counts 26 bytes for each line besides its text.
      if (line.startsWith('{')) logBytes += Buffer.byteLength(line) + 26;
    },
  });
  try {
    return await work(stack);
  } finally {
    await stack.stop();
  }
}

interface IdleHour {
  readonly usage: Usage;
  /** A counter of usage-counter.ts. */
  readonly count: (name: string) => number;
}

/** What is used per hour while nothing is asked for. Begins between two sweeps, so that it holds as many as it has minutes. */
async function idleHour(
  what: string,
  stack: LocalStack,
  windowSeconds: number,
  onStart = (): void => undefined,
): Promise<IdleHour> {
  await sleep(20_000);
  onStart();
  const before = await readUsage(stack, logBytes);
  await sleep(windowSeconds * 1000);
  const after = await readUsage(stack, logBytes);
  const perHour = 3600 / windowSeconds;
  return {
    usage: addUsage([usedBetween(`${what}, ${windowSeconds} s`, before, after), perHour]),
    count: (name) => ((after.details.get(name) ?? 0) - (before.details.get(name) ?? 0)) * perHour,
  };
}

/** Nothing, then agents without tasks. */
async function measureIdle(stack: LocalStack): Promise<Pick<Units, 'idleHour' | 'fleetHour' | 'agentHour'>> {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-units-'));
  const requests = new Map<string, number>();
  const agents: RunningAgent[] = [];
  try {
    const none = await idleHour('idle control plane', stack, idleSeconds);
    for (let index = 0; index < agentCount; index++) {
      const agentId = `agent-${index}`;
      agents.push(await startCountedAgent(stack, agentId, join(dir, agentId), requests));
      // Those of a real fleet do not report at the same moment either.
      await sleep(3_700);
    }
    const all = await idleHour(`with ${agentCount} idle agents`, stack, seconds, () => requests.clear());
    for (const [kind, count] of requests) console.error(`  agents: ${kind.padEnd(36)} ${count}`);
    const own = (kind: string) => ((requests.get(kind) ?? 0) * 3600) / seconds;
    const api = `borealis-${stack.cluster}-api`;
    const apiGigabytes = (stack.plan.functions.find(({ name }) => name === api)?.memoryMb ?? 0) / 1024;
    const did = {
      agents: agentCount,
      sent: own('sqs SendMessage'),
      received: own('sqs ReceiveMessage') + own('sqs DeleteMessageBatch'),
      api: {
        calls: all.usage.apiRequests,
        gbSeconds: (all.count(`${api}: ms`) / 1000) * apiGigabytes,
        readUnits: all.count('getAgent: read units') + all.count('listOnAgent: read units'),
      },
    };
    return { idleHour: none.usage, ...splitFleet(none.usage, all.usage, did) };
  } finally {
    await Promise.all(agents.map((agent) => agent.stop({ killTasks: true })));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** All tasks at once, on simulated agents that run nothing. */
async function measureTasks(stack: LocalStack): Promise<Usage> {
  const nodes = Array.from({ length: taskAgents }, (_, index) => {
    return {
      name: `node-${index}`,
      cpuMilli: (100 * taskCount) / taskAgents,
      ramMb: 100 * taskCount,
      gpus: [],
    };
  });
  const resources = { cpuMilli: 100, ramMb: 16, diskMb: 0, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] };
  const tasks = Array.from({ length: taskCount }, (_, index) => {
    return { name: `task-${index}`, resources, createdAtSecs: 0 };
  });
  const { cluster, sqsEndpoint, apiUrl } = stack;
  const client = createApiClient({ baseUrl: apiUrl });
  const before = await readUsage(stack, logBytes);
  await replayAtOnce({
    target: { client, cluster, sqsEndpoint, writeUnits: async () => undefined },
    nodes,
    tasks,
    say: (line) => console.error(line),
    signal: new AbortController().signal,
  });
  return usedBetween(`${taskCount} tasks on ${taskAgents} agents`, before, await readUsage(stack, logBytes));
}

/**
 * Three updates tell the three parts of what one uses from one another: what it takes itself, what each batch takes, and what
 * each instance, its old task's end and its new one's life until RUNNING.
 */
async function measureUpdates(stack: LocalStack): Promise<Units['update']> {
  const fleet = await startServiceFleet(stack, { agents: taskAgents, instances: 300 });
  const used = async (instances: number, batches: number): Promise<Usage> => {
    const name = `update-${instances}-${batches}`;
    const { status, before, after } = await updateJob(
      fleet,
      {
        name,
        instances,
        groupSize: instances / batches,
      },
      () => logBytes,
    );
    if (status !== 'ROLLED_FORWARD') throw new Error(`${name} ended as ${status}`);
    return usedBetween(`an update of ${instances} instances in ${batches} batches`, before, after);
  };
  try {
    const many = await used(120, 20);
    const few = await used(120, 2);
    const small = await used(20, 2);
    const batch = addUsage([many, 1 / 18], [few, -1 / 18]);
    const instance = addUsage([few, 1 / 100], [small, -1 / 100]);
    const itself = addUsage([small, 1], [batch, -2], [instance, -20]);
    return { itself: ofUpdate(itself, 1), batch: ofUpdate(batch), instance: ofUpdate(instance) };
  } finally {
    await fleet.stop();
  }
}

/** Sweeps go on meanwhile, and the measurement asks the API all the time; whoever updates asks once. */
function ofUpdate(usage: Usage, apiRequests = 0): Usage {
  return notBelowZero({ ...usage, schedulerCalls: 0, apiRequests });
}

/** Alarms, and metrics on the dashboard, from the templates. */
function observability(): Pick<Units, 'alarms' | 'dashboardMetrics' | 'metrics'> {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] }, analyticsReporting: false });
  addBorealis(app);
  const resources = app
    .synth()
    .stacks.flatMap(({ template }) =>
      Object.values((template as { Resources: Record<string, { readonly Type: string }> }).Resources),
    );
  const boards = JSON.stringify(resources.filter(({ Type }) => Type === 'AWS::CloudWatch::Dashboard'));
  return {
    alarms: resources.filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm').length,
    metrics: Object.keys(metricTable).length,
    dashboardMetrics: [...boards.matchAll(/\[\\+"(AWS\/|Borealis)/g)].length,
  };
}

/** Asked of a stack of its own, for each part that is wanted; the others stay as they were counted last. */
async function measure(): Promise<Units> {
  const last = { ...readUnits() };
  const counted: Partial<Units> = {};
  if (parts.includes('tasks')) {
    const tasks = await withStack(measureTasks);
    // The measurement asks the API all the time; who runs tasks asks once.
    counted.task = { ...addUsage([tasks, 1 / taskCount]), apiRequests: 0 };
  }
  if (parts.includes('updates')) counted.update = await withStack(measureUpdates);
  if (parts.includes('idle')) {
    const idle = await withStack(async (stack) => ({
      ...(await measureIdle(stack)),
      queues: stack.plan.queueMappings.map(({ queue }) => queue),
    }));
    const { queues, ...hours } = idle;
    Object.assign(counted, hours, {
      polledQueues: {
        standard: queues.filter(({ fifo }) => !fifo).length,
        fifo: queues.filter(({ fifo }) => fifo).length,
      },
    });
  }
  return {
    ...last,
    ...counted,
    ...observability(),
    tasksPerAgent: taskCount / taskAgents,
    measuredOn: new Date().toISOString().slice(0, 10),
    command: `node bench/cost-units.ts --idle-seconds ${idleSeconds} --seconds ${seconds} --agents ${agentCount} --tasks ${taskCount} --write`,
  };
}

const units = await measure();
const text = `${JSON.stringify(units, (_, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value), 2)}\n`;
process.stdout.write(text);
if (values.write) writeFileSync(new URL('../cli/cost/units.json', import.meta.url), text);
