// How long a user waits: from the submit call to a real process running, on the embedded stack with one agent.
//
//   node bench/submit-to-running.ts [jobs]
import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../cli/local/fleet.ts';
import { startLocalStack } from '../local/stack.ts';
import { type ApiClient, createApiClient } from '../shared/api/client.ts';
import { parseJobFile } from '../shared/config/parse-job-file.ts';
import type { JobSubmission } from '../shared/model/job.ts';

const jobs = Number(process.argv[2] ?? 20);
const pollMs = 10;

function submission(name: string): JobSubmission {
  const text = `
role: bench
environment: test
name: ${name}
service: true
task:
  resources: { cpu: 0.01, ramMb: 16, diskMb: 16 }
  processes: [{ name: sleep, cmdline: exec sleep 600 }]
`;
  const [one] = parseJobFile(text, { format: 'yaml', fileName: 'bench.yaml' }).submissions;
  if (!one) throw new Error('the job file of the bench is empty');
  return one;
}

async function waitMs(client: ApiClient, job: JobSubmission): Promise<number> {
  const { role, environment, name } = job;
  const params = { role, environment, name };
  const startedAt = performance.now();
  await client.call('createJob', { params, body: job, idempotencyKey: crypto.randomUUID() });
  for (;;) {
    const { tasks } = await client.call('getJob', { params, query: {} });
    if (tasks[0]?.state === 'RUNNING') return performance.now() - startedAt;
    await sleep(pollMs);
  }
}

const stack = await startLocalStack({ port: 0 });
const fleet = startFleet({ stack, count: 1, log: () => undefined });
try {
  const client = createApiClient({ baseUrl: stack.apiUrl });
  while ((await client.call('listAgents', { query: {} })).agents.length === 0) await sleep(50);
  await waitMs(client, submission('warm-up'));
  const waits: number[] = [];
  for (let index = 0; index < jobs; index += 1) waits.push(await waitMs(client, submission(`job-${index}`)));
  waits.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0);
  console.log(`stack ready in ${stack.startMs.ready} ms`);
  console.log(`submit to RUNNING over ${jobs} jobs: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, max ${at(1)} ms`);
} finally {
  await fleet.stop();
  await stack.stop();
}
