// borealis job killall: ends every instance of a job. On a terminal it asks for the job's name first.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { confirmByName } from '../confirm.ts';
import { formatKey, parseDurationMs, parseWholeJob } from '../keys.ts';
import { killAndWait } from '../kill.ts';

export const examples: readonly Example[] = [
  [
    'borealis job killall local/demo/devel/hello-service',
    'asks for the name on a terminal, never in a script',
  ],
  [
    'borealis job killall local/demo/devel/hello-service --yes --wait',
    'without asking, wait until all have ended',
  ],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('End every instance of a job for good.')
    .argument('<key>', 'cluster/role/environment/name')
    .option('-y, --yes', "don't ask")
    .option('--wait', 'wait until all have ended')
    .option('--timeout <span>', 'longest wait', '5m')
    .option('-m, --message <text>', 'why, kept in the history of each task')
    .option('--json', 'print the job as it is afterwards as JSON')
    .action(async (text, options, self) => {
      const { cluster, key } = parseWholeJob(text);
      const timeoutMs = parseDurationMs(options.timeout);
      const session = cli.session(self);
      await session.checkCluster(cluster);
      const shown = formatKey(cluster, key);
      if (!options.yes && !(await confirmByName(cli.io, `end every instance of ${shown}`, key.name))) {
        throw new BorealisError('COMMAND_FAILED', `the name was not ${key.name}; nothing was killed.`);
      }
      await killAndWait(session, {
        key,
        shown,
        message: options.message,
        wait: options.wait === true,
        timeoutMs,
        json: options.json === true,
      });
    });
}
