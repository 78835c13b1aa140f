// Sustained submissions to the embedded stack, at a rate it holds and at twice that: what is taken and refused, how long an
// answer takes, whether anything taken is lost, how long it takes to be idle again. Tasks end as soon as they are launched.
//
//   node bench/overload.ts [submissions per second] [seconds] [backlog limit]
import { setTimeout as sleep } from 'node:timers/promises';
import { listAllAgents, readJob } from '../cli/client/read.ts';
import { createFleet } from '../cli/replay/fleet.ts';
import { startLocalStack } from '../local/stack.ts';
import { createApiClient } from '../shared/api/client.ts';
import { parseJobFile } from '../shared/config/parse-job-file.ts';
import { isBorealisError } from '../shared/lib/errors.ts';
import type { JobSubmission } from '../shared/model/job.ts';

const rate = Number(process.argv[2] ?? 40);
const seconds = Number(process.argv[3] ?? 20);
const backlogLimit = process.argv[4] ?? '300';
const agentCount = 20;
const instancesPerJob = 2;

const [template] = parseJobFile(
  `
role: bench
environment: test
name: load
instances: ${instancesPerJob}
task:
  resources: { cpu: 0.1, ramMb: 16, diskMb: 16 }
  processes: [{ name: main, cmdline: 'true' }]
`,
  { format: 'yaml', fileName: 'bench.yaml' },
).submissions as [JobSubmission];

const stack = await startLocalStack({ port: 0, context: { 'borealis:backlogLimit': backlogLimit } });
/** Refusals are what is measured here: nobody waits. */
const client = createApiClient({ baseUrl: stack.apiUrl, retries: 0, patienceMs: 0 });
const nodes = Array.from({ length: agentCount }, (_, index) => {
  return { name: `agent-${index}`, cpuMilli: 64_000, ramMb: 262_144, gpus: [] };
});
const ended = new Set<string>();
const fleet = createFleet({
  cluster: stack.cluster,
  sqsEndpoint: stack.sqsEndpoint,
  nodes,
  events: {
    onLaunch: (agentId, taskId) => {
      const at = Date.now();
      ended.add(taskId);
      fleet.report(
        agentId,
        (['STARTING', 'RUNNING', 'FINISHED'] as const).map((state) => ({ taskId, state, at })),
      );
    },
    onKill: () => undefined,
  },
});

interface Taken {
  readonly name: string;
  readonly ms: number;
}

async function submit(name: string, taken: Taken[], refused: Map<string, number>): Promise<void> {
  const { role, environment } = template;
  const startedAt = performance.now();
  try {
    const params = { role, environment, name };
    await client.call('createJob', { params, body: { ...template, name } });
    taken.push({ name, ms: performance.now() - startedAt });
  } catch (error) {
    const code = isBorealisError(error) ? error.code : String(error);
    refused.set(code, (refused.get(code) ?? 0) + 1);
  }
}

/** Waits until every task of these jobs has been launched and reported; answers the jobs for which that did not happen. */
async function drained(names: readonly string[]): Promise<string[]> {
  const until = performance.now() + 300_000;
  while (ended.size < names.length * instancesPerJob && performance.now() < until) await sleep(100);
  const { role, environment } = template;
  const missing: string[] = [];
  for (const name of names) {
    for (;;) {
      const { tasks } = await readJob(client, { role, environment, name }, { history: true });
      const done = tasks.filter(({ state }) => state === 'FINISHED').length;
      if (done === instancesPerJob) break;
      if (performance.now() > until) {
        missing.push(name);
        break;
      }
      await sleep(50);
    }
  }
  return missing;
}

async function phase(perSecond: number): Promise<void> {
  const taken: Taken[] = [];
  const refused = new Map<string, number>();
  const running: Promise<void>[] = [];
  ended.clear();
  const startedAt = performance.now();
  for (let index = 0; index < perSecond * seconds; index++) {
    const dueAt = startedAt + (index * 1000) / perSecond;
    const waitMs = dueAt - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    running.push(submit(`load-${perSecond}-${index}`, taken, refused));
  }
  await Promise.all(running);
  const submittedMs = performance.now() - startedAt;
  const missing = await drained(taken.map(({ name }) => name));
  const drainMs = performance.now() - startedAt - submittedMs;
  const sorted = taken.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  const refusals = [...refused].map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
  console.log(
    [
      `${perSecond}/s asked for ${seconds} s`,
      `taken ${taken.length} (${((taken.length * 1000) / submittedMs).toFixed(1)}/s)`,
      `refused ${refusals}`,
      `answer p50 ${at(0.5)} ms p99 ${at(0.99)} ms`,
      `lost ${missing.length}`,
      `drained in ${(drainMs / 1000).toFixed(1)} s (reads to check included)`,
    ].join('; '),
  );
}

try {
  await fleet.register();
  while ((await listAllAgents(client, {})).length < agentCount) await sleep(200);
  await fleet.findQueues();
  fleet.startPolling();
  await phase(rate);
  await phase(2 * rate);
} finally {
  await fleet.stop();
  await stack.stop();
}
