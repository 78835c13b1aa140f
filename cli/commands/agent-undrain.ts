// borealis agent undrain: take agents back into use, whether they are still being emptied or empty.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';

export const examples: readonly Example[] = [
  ['borealis agent undrain agent-1', 'tasks are placed on it again'],
  ['borealis agent undrain agent-1 agent-2', 'several at once'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Take agents back into use. Tasks whose end was asked for still end.')
    .argument('<id...>', 'agent ids, see `agent list`')
    .action(async (ids, _options, self) => {
      const session = cli.session(self);
      for (const agentId of ids) {
        await session.client.call('undrainAgent', { params: { agentId }, body: {}, signal: cli.io.signal });
        session.out.say(`agent ${agentId} is in use`);
      }
    });
}
