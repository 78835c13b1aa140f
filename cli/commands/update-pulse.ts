// borealis update pulse: says that all is well, for updates that need to hear it.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { formatKey, parseWholeJob } from '../keys.ts';
import { withUpdateArguments } from '../update/call.ts';

export const examples: readonly Example[] = [
  ['borealis update pulse local/demo/devel/hello-service', 'prints OK, or FINISHED when it has ended'],
  [
    'while [ "$(borealis update pulse local/demo/devel/hello-service "$ID")" = OK ]; do sleep 30; done',
    'from the service that watches over the update; ID is what `update start` printed',
  ],
];
export const exits = [3, 4, 6, 10] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateArguments(command)
    .description(
      'Say that all is well, so that an update with a pulse interval goes on. Prints OK or FINISHED.',
    )
    .option('--json', 'print {"answer":...,"update":{...}}')
    .action(async (text, updateId, options, self) => {
      const session = cli.session(self);
      const { cluster, key } = parseWholeJob(text);
      await session.checkCluster(cluster);
      const params = { ...key, updateId: updateId ?? 'active' };
      const pulsed = await session.client.call('pulseUpdate', { params, body: {}, signal: cli.io.signal });
      if (options.json) return session.out.json(pulsed);
      session.out.data(pulsed.answer);
      session.out.say(
        `${formatKey(cluster, key)}: update ${pulsed.update.updateId} is ${pulsed.update.status}`,
      );
    });
}
