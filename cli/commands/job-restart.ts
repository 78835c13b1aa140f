// borealis job restart: ends and replaces running instances. A service goes batch by batch under health watch, by the
// engine of updates; all at once on request, and always for a job that is no service.
import type { Command } from '@commander-js/extra-typings';
import type { JobDetail } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { containsInstance, formatInstances, normaliseInstances } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { isActive } from '../../shared/model/task.ts';
import { readJob } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, type JobTarget, parseDurationMs, parseOptionalMs, parseTarget } from '../keys.ts';
import type { Session } from '../session.ts';
import { readSettings, type SettingWords, withBatchOptions } from '../update/settings.ts';
import { checkOnlyPlan, planOption, showPlan } from '../update/show-plan.ts';
import { runUpdate } from '../update/start.ts';
import { waitForJob } from '../wait/wait.ts';

export const examples: readonly Example[] = [
  [
    'borealis job restart local/demo/devel/hello-service --wait',
    'one after another, each running for 30 s first',
  ],
  [
    'borealis job restart local/demo/devel/hello-service --batch-size 3 --watch 0',
    'three at a time, no watch',
  ],
  [
    'borealis job restart local/demo/devel/hello-service --plan',
    'what would happen, and where new tasks would go',
  ],
  ['borealis job restart local/demo/devel/hello-service/3 --all-at-once', 'one instance, at once'],
];
export const exits = [1, 3, 4, 6, 9, 10] as const;

/** Aurora's default for restarts. */
const defaultWatchMs = 30_000;
const defaultTimeout = '5m';

interface Words extends SettingWords {
  readonly allAtOnce?: true | undefined;
  readonly plan?: true | undefined;
  readonly message?: string | undefined;
  readonly wait?: true | undefined;
  readonly json?: true | undefined;
}

export function define(command: Command, cli: Cli): void {
  withBatchOptions(
    command
      .description(
        'End and replace running instances, refused unless all named ones are active. A service is restarted batch by batch, as an update: it stops when too many instances fail, and `update pause`, `abort` and `rollback` work on it. Default: one instance at a time, each watched for 30s.',
      )
      .argument('<key>', 'cluster/role/environment/name[/INSTANCES]; default all active ones')
      .option('--all-at-once', 'not in batches; a job that is no service is always restarted so')
      .option(...planOption)
      .option('--wait', 'wait until all of it is done')
      .option(
        '--timeout <span>',
        `longest wait; default as long as it takes (all at once: ${defaultTimeout})`,
      )
      .option('-m, --message <text>', 'why, kept in the history')
      .option('--json', 'print the update (all at once: the job) as JSON'),
  ).action(async (text, options, self) => {
    const session = cli.session(self);
    const target = parseTarget(text);
    const settings = { ...restartSettings, ...readSettings(options) };
    const timeoutMs = parseOptionalMs(options.timeout);
    checkOnlyPlan(options);
    await session.checkCluster(target.cluster);
    const { job } = await session.client.call('getJob', {
      params: target.key,
      query: { limit: 1, history: 'false' },
      signal: cli.io.signal,
    });
    checkWords(options, job.service);
    if (options.allAtOnce || !job.service) return restartAtOnce(session, target, options, timeoutMs);
    const { key } = target;
    const shown = formatKey(target.cluster, key);
    const only = target.instances && { only: [...target.instances] };
    const body = { change: { kind: 'restart' as const }, ...only, settings };
    if (options.plan) return showPlan(cli, session, { key, shown, body, json: options.json });
    await runUpdate(cli, session, { key, shown, body, words: options, timeoutMs });
  });
}

/** What has failed after a restart would fail again after another one: nothing is put back. */
const restartSettings = {
  strategy: { kind: 'queue', groupSize: 1 },
  minWaitInInstanceRunningMs: defaultWatchMs,
  rollbackOnFailure: false,
} as const;

function checkWords(words: Words, service: boolean): void {
  const { batchSize, watch, maxPerInstanceFailures, maxTotalFailures, plan } = words;
  const batched = [batchSize, watch, maxPerInstanceFailures, maxTotalFailures, plan];
  if ((!words.allAtOnce && service) || batched.every((word) => word === undefined)) return;
  const why = service ? '--all-at-once contradicts batches' : 'the job is no service: it has no batches';
  throw new BorealisError(
    'INVALID_REQUEST',
    `${why}. Nothing was restarted. Leave out --plan, --batch-size, --watch and the failure limits.`,
  );
}

async function restartAtOnce(
  session: Session,
  target: JobTarget,
  words: Words,
  timeoutMs = parseDurationMs(defaultTimeout),
): Promise<void> {
  const { key } = target;
  const { signal } = session.io;
  const shown = formatKey(target.cluster, key);
  const before = await readJob(session.client, key, { signal });
  const instances = activeInstances(before, target);
  if (instances.length === 0) return session.out.say(`nothing to do: ${shown} has no active instance`);
  const accepted = await session.client.call('restartJob', {
    params: key,
    body: { instances, ...(words.message !== undefined && { message: words.message }) },
    signal,
  });
  session.out.say(accepted.message);
  if (words.wait) {
    const newerThan = generations(before);
    await waitForJob(session, { key, shown, goal: 'RUNNING', instances, newerThan, timeoutMs });
    session.out.say(`${shown}: instances ${formatInstances(instances)} run again`);
  }
  if (words.json) session.out.json(accepted.job);
}

/** Newest generation of each instance: only what is newer counts as restarted. */
function generations(detail: JobDetail): Map<number, number> {
  const newest = new Map<number, number>();
  for (const { instance, generation } of detail.tasks) {
    newest.set(instance, Math.max(generation, newest.get(instance) ?? 0));
  }
  return newest;
}

/** The instances asked for, or all active ones. */
function activeInstances(detail: JobDetail, { instances }: JobTarget): InstanceRange[] {
  if (instances) return normaliseInstances(instances);
  const desired = detail.job.desired.map((range) => range.instances);
  const active = detail.tasks.filter(
    (task) => isActive(task.state) && containsInstance(desired, task.instance),
  );
  return normaliseInstances(active.map(({ instance }): InstanceRange => [instance, instance]));
}
