// borealis job kill: ends some instances for good.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, parseDurationMs, parseTarget } from '../keys.ts';
import { killAndWait } from '../kill.ts';

export const examples: readonly Example[] = [
  ['borealis job kill local/demo/devel/hello-service/2 -m "bad disk"', 'end one instance'],
  ['borealis job kill local/demo/devel/hello-service/0-2,5 --wait', 'end four and wait until they are gone'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('End some instances for good; they are not replaced. `job killall` ends the whole job.')
    .argument('<key>', 'cluster/role/environment/name/INSTANCES')
    .option('--wait', 'wait until they have ended')
    .option('--timeout <span>', 'longest wait', '5m')
    .option('-m, --message <text>', 'why, kept in the history of each task')
    .option('--json', 'print the job as it is afterwards as JSON')
    .action(async (text, options, self) => {
      const target = parseTarget(text);
      const timeoutMs = parseDurationMs(options.timeout);
      if (target.instances === undefined) {
        throw new BorealisError(
          'INVALID_REQUEST',
          `"${text}" names no instances; nothing was killed. Write ${text}/0-2, or use \`borealis job killall ${text}\` for all.`,
        );
      }
      const session = cli.session(self);
      await session.checkCluster(target.cluster);
      await killAndWait(session, {
        key: target.key,
        shown: formatKey(target.cluster, target.key),
        instances: target.instances,
        message: options.message,
        wait: options.wait === true,
        timeoutMs,
        json: options.json === true,
      });
    });
}
