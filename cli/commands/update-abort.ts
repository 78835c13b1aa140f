// borealis update abort: gives an update up. What becomes of the instances must be said, since both answers are right
// sometimes and neither can be undone.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { runCall, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update abort local/demo/devel/hello-service --hold', 'leave every instance as it is now'],
  ['borealis update abort local/demo/devel/hello-service --rollback --wait', 'put them back first'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateArguments(command)
    .description('Give an update up. Say what becomes of its instances: --hold or --rollback.')
    .option('--hold', 'leave every instance as it is: some may run the new config, some the old')
    .option('--rollback', 'put back what was changed, like `update rollback`')
    .option('-m, --message <text>', 'why, kept in the history of the update')
    .option('--wait', 'follow the update to its end')
    .option('--timeout <span>', 'longest wait; default as long as it takes')
    .option('--json', 'print the update as JSON')
    .action(async (key, updateId, options, self) => {
      const session = cli.session(self);
      const instances = chosen(options);
      const body = { instances, ...(options.message !== undefined && { message: options.message }) };
      await runCall(cli, session, { key, updateId, options }, (params) =>
        session.client.call('abortUpdate', { params, body, signal: cli.io.signal }),
      );
    });
}

function chosen({ hold, rollback }: { hold?: true; rollback?: true }): 'hold' | 'rollback' {
  if (hold && !rollback) return 'hold';
  if (rollback && !hold) return 'rollback';
  throw new BorealisError(
    'INVALID_REQUEST',
    `say what becomes of the instances, with one of --hold (leave them as they are now) and --rollback (put back what was changed). The update goes on unchanged.`,
  );
}
