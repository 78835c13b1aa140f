// What an update costs and how long it takes: a job of many instances on simulated agents, whose new version is good. On
// the embedded stack with everything real but the processes.
//
//   node bench/update.ts [instances] [batch size] [agents]      1000 50 20 unless given
import { setTimeout as sleep } from 'node:timers/promises';
import { createFleet } from '../cli/replay/fleet.ts';
import { startLocalStack } from '../local/stack.ts';
import { createApiClient } from '../shared/api/client.ts';
import { parseJobFile } from '../shared/config/parse-job-file.ts';
import { updateWorkflowName } from '../shared/model/names.ts';
import { updateSettingsInputSchema } from '../shared/model/update.ts';
import { type Reading, readUsage } from './usage-counter.ts';

const [instances = 1000, groupSize = 50, agents = 20] = process.argv.slice(2).map(Number);
const historyEvents: Readonly<Record<string, number>> = {
  // Entered, scheduled, started, (submitted,) succeeded, exited; entered, exited.
  Verdict: 5,
  'Which way?': 2,
  'Forward batch': 6,
  'Roll back batch': 6,
  Watch: 2,
};

const params = { role: 'bench', environment: 'test', name: 'update' };

function configs(version: number) {
  const text = `
role: bench
environment: test
name: update
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

const stack = await startLocalStack({ port: 0 });
const client = createApiClient({ baseUrl: stack.apiUrl });
const nodes = Array.from({ length: agents }, (_, index) => {
  const share = Math.ceil((2 * instances) / agents);
  return { name: `agent-${index}`, cpuMilli: 10 * share, ramMb: 2 * share, gpus: [] };
});
const fleet = createFleet({
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

function unitsBetween(before: Reading, after: Reading): Map<string, number> {
  const units = new Map<string, number>();
  for (const [name, count] of after.details) {
    const more = count - (before.details.get(name) ?? 0);
    if (more > 0) units.set(name, more);
  }
  return units;
}

async function waitFor(what: string, check: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await check())) {
    if (performance.now() - startedAt > 3_600_000) throw new Error(`waited an hour for ${what}`);
    await sleep(200);
  }
}

const quiet = async (): Promise<boolean> => {
  const { streams, queues } = await stack.stats();
  return (
    Object.values(streams).every(({ outstanding }) => outstanding === 0) &&
    // Heartbeats wait for the roll call of the minute.
    Object.entries(queues).every(
      ([name, { visible, inFlight }]) => name.endsWith('-heartbeats') || visible + inFlight === 0,
    )
  );
};

try {
  await fleet.register();
  await waitFor('the agents', async () => {
    const listed = await client.call('listAgents', { query: { limit: 1000 } });
    return listed.agents.length === agents;
  });
  await fleet.findQueues();
  fleet.startPolling();
  await client.call('createJob', { params, body: { ...params, configs: configs(1) } });
  await waitFor('the job to run', async () => {
    const { counts, job } = await client.call('getJob', { params, query: {} });
    return counts.pending === 0 && counts.active === instances && job.instances === instances;
  });
  await waitFor('quiet', quiet);
  await sleep(1000);
  const before = await readUsage(stack, 0);
  const settings = updateSettingsInputSchema.parse({
    strategy: { kind: 'batch', groupSize },
    minWaitInInstanceRunningMs: 0,
  });
  const startedAt = performance.now();
  const change = { kind: 'replace' as const, configs: configs(2) };
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
  await waitFor('quiet', quiet);
  const after = await readUsage(stack, 0);
  const machine = (await stack.stats()).stateMachines[updateWorkflowName(stack.cluster)];
  if (!machine) throw new Error('the workflow has not run');
  const batches = Math.ceil(instances / groupSize);
  const transitions = Object.values(machine.transitions).reduce((sum, count) => sum + count, 0);
  const history = Object.entries(machine.transitions).reduce(
    (sum, [state, count]) => sum + count * (historyEvents[state] ?? 2),
    2 * machine.executions,
  );
  const units = [...unitsBetween(before, after)].filter(([name]) => name.endsWith(': write units'));
  const written = units.reduce((sum, [, count]) => sum + count, 0);
  const own = units.find(([name]) => name.startsWith('writeUpdate'))?.[1] ?? 0;
  const notes = units
    .filter(([name]) => /^(put|drop)Callback/.test(name))
    .reduce((sum, [, count]) => sum + count, 0);
  const said = (value: number, digits = 1): string => value.toFixed(digits);
  console.log(
    `${status}: ${instances} instances in batches of ${groupSize}, watch 0, ${agents} simulated agents`,
  );
  console.log(`wall time            ${said(seconds)} s, ${said((seconds * 1000) / batches, 0)} ms a batch`);
  console.log(`transitions          ${transitions}, ${said(transitions / batches, 2)} a batch`);
  console.log(
    `executions           ${machine.executions}, at most ${machine.mostTransitions} transitions each`,
  );
  console.log(
    `history events       ${history} in all, ${said(history / machine.executions, 0)} an execution (counted from the states)`,
  );
  console.log(
    `write units, all     ${said(written, 0)}, ${said(written / instances, 2)} an instance (two task lives' worth: one ends, one begins)`,
  );
  console.log(
    `write units, update  ${said(own + notes, 0)}, ${said((own + notes) / batches, 2)} a batch, ${said((own + notes) / instances, 2)} an instance`,
  );
  for (const [name, count] of units) console.log(`  ${name.padEnd(36)} ${said(count, 0)}`);
} finally {
  await fleet.stop();
  await stack.stop();
}
