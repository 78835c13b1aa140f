// borealis update pause: stops an update where it is.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { runCall, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update pause local/demo/devel/hello-service', 'the active update of the job'],
  ['borealis update pause local/demo/devel/hello-service -m "look at the graphs"', 'with a reason'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateArguments(command)
    .description('Stop an update where it is: no further instance is touched until it is resumed.')
    .option('-m, --message <text>', 'why, kept in the history of the update')
    .option('--json', 'print the update as JSON')
    .action(async (key, updateId, options, self) => {
      const session = cli.session(self);
      await runCall(cli, session, { key, updateId, options }, (request) =>
        session.client.call('pauseUpdate', request),
      );
    });
}
