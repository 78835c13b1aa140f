// borealis job restart: ends and replaces running instances, all at once or in batches that must come back.
import type { Command } from '@commander-js/extra-typings';
import type { JobDetail } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { containsInstance, formatInstances, normaliseInstances } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { isActive } from '../../shared/model/task.ts';
import { readJob } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, type JobTarget, parseDurationMs, parseTarget } from '../keys.ts';
import type { Session } from '../session.ts';
import { waitForJob } from '../wait/wait.ts';

export const examples: readonly Example[] = [
  ['borealis job restart local/demo/devel/hello-service --wait', 'all at once, wait until they run again'],
  [
    'borealis job restart local/demo/devel/hello-service --batch-size 2',
    'two at a time, each batch running first',
  ],
  ['borealis job restart local/demo/devel/hello-service/3', 'one instance'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('End and replace running instances; refused unless all named ones are active.')
    .argument('<key>', 'cluster/role/environment/name[/INSTANCES]; default all active ones')
    .option('--batch-size <n>', 'so many at a time, waiting until each batch runs again')
    .option('--wait', 'wait until they run again')
    .option('--timeout <span>', 'longest wait (per batch)', '5m')
    .option('-m, --message <text>', 'why, kept in the history of each task')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const target = parseTarget(text);
      const timeoutMs = parseDurationMs(options.timeout);
      const batchSize = parseBatchSize(options.batchSize);
      await session.checkCluster(target.cluster);
      const before = await readJob(session.client, target.key, { signal: cli.io.signal });
      const instances = activeInstances(before, target);
      if (instances.length === 0) return session.out.say(`nothing to do: ${text} has no active instance`);
      const size = batchSize ?? instances.length;
      for (let from = 0; from < instances.length; from += size) {
        await restartBatch(session, {
          target,
          batch: normaliseInstances(instances.slice(from, from + size).map((n): InstanceRange => [n, n])),
          before,
          message: options.message,
          wait: batchSize !== undefined || options.wait === true,
          timeoutMs,
        });
      }
    });
}

interface Batch {
  readonly target: JobTarget;
  readonly batch: InstanceRange[];
  readonly before: JobDetail;
  readonly message: string | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
}

async function restartBatch(session: Session, options: Batch): Promise<void> {
  const { target, batch, before, message } = options;
  const shown = formatKey(target.cluster, target.key);
  const accepted = await session.client.call('restartJob', {
    params: target.key,
    body: { instances: batch, ...(message !== undefined && { message }) },
    signal: session.io.signal,
  });
  session.out.say(accepted.message);
  if (!options.wait) return;
  await waitForJob(session, {
    key: target.key,
    shown,
    goal: 'RUNNING',
    instances: batch,
    newerThan: generations(before),
    timeoutMs: options.timeoutMs,
  });
  session.out.say(`${shown}: instances ${formatInstances(batch)} run again`);
}

/** Newest generation of each instance: only what is newer counts as restarted. */
function generations(detail: JobDetail): Map<number, number> {
  const newest = new Map<number, number>();
  for (const { instance, generation } of detail.tasks) {
    newest.set(instance, Math.max(generation, newest.get(instance) ?? 0));
  }
  return newest;
}

/** The instances asked for, or all active ones, in order. */
function activeInstances(detail: JobDetail, { instances }: JobTarget): number[] {
  if (instances) {
    return instances.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => low + i));
  }
  const desired = detail.job.desired.map((range) => range.instances);
  const active = detail.tasks.filter(
    (task) => isActive(task.state) && containsInstance(desired, task.instance),
  );
  return [...new Set(active.map((task) => task.instance))].toSorted((a, b) => a - b);
}

function parseBatchSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new BorealisError('INVALID_REQUEST', `"${text}" is not a batch size; nothing was restarted.`);
}
