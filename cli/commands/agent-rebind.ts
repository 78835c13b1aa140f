// borealis agent rebind: hands an agent id to another identity.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';

export const examples: readonly Example[] = [
  ['borealis agent rebind db-1', 'the identity that registers db-1 next owns it'],
  ['borealis agent rebind db-1 --to AROAEXAMPLE:db-1', 'this identity owns it'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Hand an agent id to another IAM identity, for instance after the machine behind it was made anew. Its tasks are not touched. The identity before may be believed for five minutes more.',
    )
    .argument('<id>', 'agent id, see `agent list`')
    .option(
      '--to <userid>',
      'UserId of the new owner (aws sts get-caller-identity); default whoever registers next',
    )
    .option('--json', 'print the agent as JSON')
    .action(async (agentId, options, self) => {
      const session = cli.session(self);
      const body = options.to === undefined ? {} : { principal: options.to };
      const agent = await session.client.call('rebindAgent', {
        params: { agentId },
        body,
        signal: cli.io.signal,
      });
      if (options.json) return session.out.json(agent);
      session.out.say(`agent ${agentId} belongs to ${options.to ?? 'whoever registers it next'}`);
    });
}
