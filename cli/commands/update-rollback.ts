// borealis update rollback: puts back what an update has changed.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { runCall, withFollowOptions, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update rollback local/demo/devel/hello-service', 'at any time before the update has ended'],
  [
    'borealis update rollback local/demo/devel/hello-service -m "wrong flag" --wait',
    'follow it; exit 4 when back',
  ],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withFollowOptions(
    withUpdateArguments(command).description(
      'Put back what the update has changed, batch by batch in reverse, each instance to its own original config.',
    ),
  ).action(async (key, updateId, options, self) => {
    const session = cli.session(self);
    await runCall(cli, session, { key, updateId, options }, (request) =>
      session.client.call('rollbackUpdate', request),
    );
  });
}
