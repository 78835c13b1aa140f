// A job of many instances on simulated agents, which start and end whatever they are told, and an update of it to a good
// version: everything is real but the processes. Watching takes no time, so that what is counted is the update.
import { setTimeout as sleep } from 'node:timers/promises';
import { createFleet, type Fleet } from '../cli/replay/fleet.ts';
import type { LocalStack } from '../local/stack.ts';
import { type ApiClient, createApiClient } from '../shared/api/client.ts';
import { parseJobFile } from '../shared/config/parse-job-file.ts';
import { updateSettingsInputSchema } from '../shared/model/update.ts';
import { type Reading, readUsage } from './usage-counter.ts';

const longestWaitMs = 3_600_000;
/** Between two looks at what is waited for; a look at an update costs reads, which are counted with it. */
const lookMs = 500;

export interface ServiceFleet {
  readonly stack: LocalStack;
  readonly client: ApiClient;
  stop(): Promise<void>;
}

export interface JobSize {
  readonly name: string;
  readonly instances: number;
  readonly groupSize: number;
}

export interface UpdateOutcome {
  readonly status: string;
  readonly seconds: number;
  readonly before: Reading;
  readonly after: Reading;
}

/** Agents that together have room for twice as many small instances. */
export async function startServiceFleet(
  stack: LocalStack,
  { agents, instances }: { readonly agents: number; readonly instances: number },
): Promise<ServiceFleet> {
  const share = Math.ceil((2 * instances) / agents);
  const nodes = Array.from({ length: agents }, (_, index) => {
    return { name: `agent-${index}`, cpuMilli: 10 * share, ramMb: 2 * share, gpus: [] };
  });
  const fleet: Fleet = createFleet({
    cluster: stack.cluster,
    sqsEndpoint: stack.sqsEndpoint,
    nodes,
    events: {
      onLaunch: (agentId, taskId) =>
        fleet.report(agentId, [
          { taskId, state: 'STARTING', at: Date.now() },
          { taskId, state: 'RUNNING', at: Date.now() },
        ]),
      onKill: (agentId, taskId) => fleet.report(agentId, [{ taskId, state: 'KILLED', at: Date.now() }]),
    },
  });
  const client = createApiClient({ baseUrl: stack.apiUrl });
  await fleet.register();
  await waitFor('the agents', async () => {
    const listed = await client.call('listAgents', { query: { limit: 1000 } });
    return listed.agents.length === agents;
  });
  await fleet.findQueues();
  fleet.startPolling();
  return { stack, client, stop: () => fleet.stop() };
}

/** Runs the job, then updates it. `loggedBytes`: what the functions have logged so far. What is read between the two readings is the update's, from its start until all is quiet. */
export async function updateJob(
  { stack, client }: ServiceFleet,
  { name, instances, groupSize }: JobSize,
  loggedBytes: () => number = () => 0,
): Promise<UpdateOutcome> {
  const params = { role: 'bench', environment: 'test', name };
  await client.call('createJob', { params, body: { ...params, configs: configs(name, instances, 1) } });
  await waitFor('the job to run', async () => {
    const { counts, job } = await client.call('getJob', { params, query: {} });
    return counts.pending === 0 && counts.active === instances && job.instances === instances;
  });
  await waitFor('quiet', () => isQuiet(stack));
  await sleep(1000);
  const before = await readUsage(stack, loggedBytes());
  const settings = updateSettingsInputSchema.parse({
    strategy: { kind: 'batch', groupSize },
    minWaitInInstanceRunningMs: 0,
  });
  const startedAt = performance.now();
  const change = { kind: 'replace' as const, configs: configs(name, instances, 2) };
  const { update } = await client.call('startUpdate', { params, body: { change, settings } });
  if (!update) throw new Error('there was nothing to update');
  const asked = { ...params, updateId: update.updateId };
  let status = '';
  await waitFor('the update', async () => {
    const shown = await client.call('getUpdate', { params: asked });
    status = shown.status;
    return !shown.active;
  });
  const seconds = (performance.now() - startedAt) / 1000;
  await waitFor('quiet', () => isQuiet(stack));
  return { status, seconds, before, after: await readUsage(stack, loggedBytes()) };
}

function configs(name: string, instances: number, version: number) {
  const text = `
role: bench
environment: test
name: ${name}
service: true
instances: ${instances}
metadata: { version: "${version}" }
task:
  resources: { cpu: 0.01, ramMb: 1, diskMb: 1 }
  processes: [{ name: sleep, cmdline: exec sleep 600 }]
`;
  const [one] = parseJobFile(text, { format: 'yaml', fileName: 'bench.yaml' }).submissions;
  if (!one) throw new Error('the job file of the bench is empty');
  return one.configs;
}

async function waitFor(what: string, check: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await check())) {
    if (performance.now() - startedAt > longestWaitMs) throw new Error(`waited an hour for ${what}`);
    await sleep(lookMs);
  }
}

async function isQuiet(stack: LocalStack): Promise<boolean> {
  const { streams, queues } = await stack.stats();
  return (
    Object.values(streams).every(({ outstanding }) => outstanding === 0) &&
    // Heartbeats wait for the roll call of the minute.
    Object.entries(queues).every(
      ([name, { visible, inFlight }]) => name.endsWith('-heartbeats') || visible + inFlight === 0,
    )
  );
}
