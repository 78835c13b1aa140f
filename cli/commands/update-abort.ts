// borealis update abort: gives an update up. What becomes of the instances must be said, since both answers are right
// sometimes and neither can be undone.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { runCall, withFollowOptions, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update abort local/demo/devel/hello-service --hold', 'leave every instance as it is now'],
  ['borealis update abort local/demo/devel/hello-service --rollback --wait', 'put them back first'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withFollowOptions(
    withUpdateArguments(command)
      .description('Give an update up. Say what becomes of its instances: --hold or --rollback.')
      .option('--hold', 'leave every instance as it is: some may run the new config, some the old')
      .option('--rollback', 'put back what was changed, like `update rollback`'),
  ).action(async (key, updateId, options, self) => {
    const session = cli.session(self);
    const instances = chosen(options);
    await runCall(cli, session, { key, updateId, options }, (request) =>
      session.client.call('abortUpdate', { ...request, body: { instances, ...request.body } }),
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
