// borealis job shrink: fewer instances of a service, as an update.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, parseOptionalMs, parseTarget } from '../keys.ts';
import { readSettings, withBatchOptions } from '../update/settings.ts';
import { checkOnlyPlan, planOption, showPlan } from '../update/show-plan.ts';
import { runUpdate, type StartBody } from '../update/start.ts';

export const examples: readonly Example[] = [
  ['borealis job shrink local/demo/devel/hello-service 2 --wait', 'take the two highest instances away'],
  ['borealis job shrink local/demo/devel/hello-service/0,4 --batch-size 2', 'these two, both at once'],
];
export const exits = [1, 3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withBatchOptions(
    command
      .description(
        'Take instances of a service away for good, one at a time unless told otherwise. It is an update: `update pause`, `abort` and `rollback` work on it. To end instances at once, use `job kill`.',
      )
      .argument('<key>', 'cluster/role/environment/name, or with /INSTANCES those to take away')
      .argument('[count]', 'take away so many, the highest ones')
      .option(...planOption)
      .option('--wait', 'follow it to its end')
      .option('--timeout <span>', 'longest wait; default as long as it takes')
      .option('-m, --message <text>', 'why, kept in the history of the update')
      .option('--json', 'print the update as JSON'),
  ).action(async (text, countText, options, self) => {
    const session = cli.session(self);
    const target = parseTarget(text);
    const change = changeOf(target.instances, countText);
    const settings = readSettings(options);
    const timeoutMs = parseOptionalMs(options.timeout);
    checkOnlyPlan(options);
    await session.checkCluster(target.cluster);
    const { key } = target;
    const shown = formatKey(target.cluster, key);
    const body = { change, settings };
    if (options.plan) return showPlan(cli, session, { key, shown, body, json: options.json });
    await runUpdate(cli, session, { key, shown, body, words: options, timeoutMs });
  });
}

function changeOf(
  instances: ReturnType<typeof parseTarget>['instances'],
  countText: string | undefined,
): StartBody['change'] {
  if ((instances === undefined) === (countText === undefined)) {
    throw new BorealisError(
      'INVALID_REQUEST',
      'say how many instances to take away, or name them behind the key (KEY/3-5), not both. Nothing was changed.',
    );
  }
  if (instances) return { kind: 'remove', instances: [...instances] };
  if (/^[1-9]\d{0,5}$/.test(countText ?? '')) return { kind: 'remove', count: Number(countText) };
  throw new BorealisError(
    'INVALID_REQUEST',
    `"${countText}" is not a number of instances; nothing was changed.`,
  );
}
