// borealis update resume: lets a paused update go on.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { runCall, withFollowOptions, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update resume local/demo/devel/hello-service', 'go on'],
  ['borealis update resume local/demo/devel/hello-service --wait', 'go on and follow it to its end'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withFollowOptions(
    withUpdateArguments(command).description('Let a paused update go on, in the direction it had.'),
  ).action(async (key, updateId, options, self) => {
    const session = cli.session(self);
    await runCall(cli, session, { key, updateId, options }, (request) =>
      session.client.call('resumeUpdate', request),
    );
  });
}
