// borealis agent forget: takes lost agents off the list at once.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';

export const examples: readonly Example[] = [
  ['borealis agent forget agent-1', 'its machine is gone for good'],
  ['borealis agent forget agent-1 agent-2', 'several at once'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Forget lost agents, their command queues with them, instead of waiting until that happens by itself (a day after the loss, unless set otherwise). Refused while an agent is heard, or while tasks wait for its return. An agent that comes back after all registers as new.',
    )
    .argument('<id...>', 'agent ids, see `agent list`')
    .action(async (ids, _options, self) => {
      const session = cli.session(self);
      for (const agentId of ids) {
        await session.client.call('forgetAgent', { params: { agentId }, body: {}, signal: cli.io.signal });
        session.out.say(`agent ${agentId} is forgotten`);
      }
    });
}
