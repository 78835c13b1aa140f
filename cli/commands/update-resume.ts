// borealis update resume: lets a paused update go on.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { runCall, withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update resume local/demo/devel/hello-service', 'go on'],
  ['borealis update resume local/demo/devel/hello-service --wait', 'go on and follow it to its end'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateArguments(command)
    .description('Let a paused update go on, in the direction it had.')
    .option('-m, --message <text>', 'why, kept in the history of the update')
    .option('--wait', 'follow the update to its end')
    .option('--timeout <span>', 'longest wait; default as long as it takes')
    .option('--json', 'print the update as JSON')
    .action(async (key, updateId, options, self) => {
      const session = cli.session(self);
      const body = options.message === undefined ? {} : { message: options.message };
      await runCall(cli, session, { key, updateId, options }, (params) =>
        session.client.call('resumeUpdate', { params, body, signal: cli.io.signal }),
      );
    });
}
