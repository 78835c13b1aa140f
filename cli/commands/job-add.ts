// borealis job add: more instances like an existing one.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, type JobTarget, parseDurationMs, parseTarget } from '../keys.ts';
import { count } from '../output/words.ts';
import { readSettings, type SettingWords, withBatchOptions } from '../update/settings.ts';
import { checkOnlyPlan, planOption, showPlan } from '../update/show-plan.ts';
import { runUpdate } from '../update/start.ts';
import { waitForJob } from '../wait/wait.ts';

export const examples: readonly Example[] = [
  ['borealis job add local/demo/devel/hello-service 2', 'two more like the highest instance'],
  [
    'borealis job add local/demo/devel/hello-service/0 10 --wait',
    'ten more like instance 0, wait until they run',
  ],
  ['borealis job add local/demo/devel/hello-service 10 --batch-size 2', 'as an update, two at a time'],
];
export const exits = [1, 3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withBatchOptions(
    command
      .description(
        'Add instances with the config of an existing one; numbers follow the highest. All at once, or with --batch-size as an update: under health watch, and taken away again if too many fail.',
      )
      .argument(
        '<key>',
        'cluster/role/environment/name[/INSTANCE]: the instance to copy, default the highest',
      )
      .argument('<count>', 'how many')
      .option(...planOption)
      .option('--wait', 'wait until every instance of the job runs, or the update has ended')
      .option('--timeout <span>', 'longest wait', '5m')
      .option('-m, --message <text>', 'why, kept in the history of the update')
      .option('--json', 'print the job (with --batch-size: the update) as JSON'),
  ).action(async (text, countText, options, self) => {
    const session = cli.session(self);
    const target = parseTarget(text);
    const timeoutMs = parseDurationMs(options.timeout);
    const added = parseCount(countText);
    const template = oneInstance(text, target);
    const settings = readSettings(options);
    checkBatched(options);
    checkOnlyPlan(options);
    await session.checkCluster(target.cluster);
    const shown = formatKey(target.cluster, target.key);
    if (options.batchSize !== undefined) {
      const change = { kind: 'add' as const, count: added, ...(template !== undefined && { template }) };
      const body = { change, settings };
      if (options.plan) return showPlan(cli, session, { key: target.key, shown, body, json: options.json });
      return runUpdate(cli, session, { key: target.key, shown, body, words: options, timeoutMs });
    }
    // Never repeated on a broken connection: a second one would add a second time.
    const accepted = await session.client.call('addInstances', {
      params: target.key,
      body: { count: added, ...(template !== undefined && { template }) },
      signal: cli.io.signal,
    });
    session.out.say(accepted.message);
    if (options.wait) {
      await waitForJob(session, { key: target.key, shown, goal: 'RUNNING', timeoutMs });
      session.out.say(`${shown}: ${count(accepted.job.instances, 'instance')} running or finished`);
    }
    if (options.json) session.out.json(accepted.job);
  });
}

interface BatchWords extends SettingWords {
  readonly message?: string | undefined;
  readonly plan?: true | undefined;
}

/** Without batches there is nothing that plans, watches, counts failures or keeps a message. */
function checkBatched(words: BatchWords): void {
  const { watch, maxPerInstanceFailures, maxTotalFailures, message, plan } = words;
  const idle = [watch, maxPerInstanceFailures, maxTotalFailures, message, plan].every(
    (word) => word === undefined,
  );
  if (words.batchSize !== undefined || idle) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    '--plan, --watch, --message and the failure limits are of updates; nothing was added. Give --batch-size as well, or leave them out.',
  );
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new BorealisError('INVALID_REQUEST', `"${text}" is not a number of instances; nothing was added.`);
}

function oneInstance(text: string, { instances }: JobTarget): number | undefined {
  if (instances === undefined) return undefined;
  const [range, ...others] = instances;
  if (range && others.length === 0 && range[0] === range[1]) return range[0];
  throw new BorealisError(
    'INVALID_REQUEST',
    `"${text}" names several instances; nothing was added. Name the one to copy.`,
  );
}
