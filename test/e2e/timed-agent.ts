// An agent with intervals of the test's choice, which the command line does not offer: heartbeats every second, where the
// test cannot wait for those of `borealis agent run`. Takes the intervals as JSON, then the same options.
import { parseArgs } from 'node:util';
import { runAgent } from '../../agent/main.ts';
import type { AgentTimings } from '../../agent/options.ts';
import { findQueueUrl, resolveSqs } from '../../cli/local/queues.ts';
import { intakeQueueName } from '../../shared/model/names.ts';

const [timings = '{}', ...rest] = process.argv.slice(2);
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { values } = parseArgs({
  args: rest,
  options: {
    id: { type: 'string', default: 'agent' },
    host: text,
    cpu: { type: 'string', default: '1' },
    ram: { type: 'string', default: '1GiB' },
    disk: { type: 'string', default: '1GiB' },
    ports: { type: 'string', default: '31000-31999' },
    // One of the intervals.
    'kill-wait': text,
    'work-dir': { type: 'string', default: '.' },
    'kill-tasks-on-stop': flag,
    'stop-with-stdin': flag,
  },
});
const api = process.env.BOREALIS_API ?? '';
const cluster = await untilAnswered(clusterName);
const sqs = await resolveSqs(api, process.env);
const intakeQueueUrl = await untilAnswered(() => findQueueUrl(sqs, intakeQueueName(cluster)));
const [low = 0, high = 0] = values.ports.split('-').map(Number);
const mb = (size: string): number => Number.parseInt(size, 10) * 1024;
const agent = await runAgent({
  agentId: values.id,
  cluster,
  host: values.host ?? values.id,
  api,
  intakeQueueUrl,
  sqs,
  workDir: values['work-dir'],
  capacity: {
    cpuMilli: Number(values.cpu) * 1000,
    ramMb: mb(values.ram),
    diskMb: mb(values.disk),
    portRange: [low, high],
  },
  killTasksOnStop: values['kill-tasks-on-stop'] === true,
  timings: JSON.parse(timings) as Partial<AgentTimings>,
  log: () => undefined,
});
let ending = false;
const end = (): void => {
  if (ending) return;
  ending = true;
  void agent.stop().then(() => process.exit(0));
};
process.on('SIGTERM', end);
process.stdin.on('end', end);
process.stdin.on('error', end);
process.stdin.resume();

async function clusterName(): Promise<string> {
  const answer = await fetch(`${api}/version`);
  if (!answer.ok) throw new Error(`the API answers ${answer.status}`);
  return ((await answer.json()) as { cluster: string }).cluster;
}

/** The control plane may fail, or be away, while the agent starts. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
