// borealis update info: one update with its progress per batch and instance, and what happened.
import type { Command } from '@commander-js/extra-typings';
import { listInstanceEvents } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { parseWholeJob } from '../keys.ts';
import { infoLines } from '../update/info-text.ts';

export const examples: readonly Example[] = [
  ['borealis update info local/demo/devel/hello-service', 'the newest update: batches, instances, history'],
  ['borealis update info local/demo/devel/hello-service --events', 'with what happened to each instance'],
  ['borealis update info local/demo/devel/hello-service --json | jq .progress', 'for programs'],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'One update: status, settings, progress per batch and instance, what waits and why, history.',
    )
    .argument('<key>', 'cluster/role/environment/name')
    .argument('[update-id]', 'default the newest update of the job')
    .option('--events', 'with everything that happened to each instance')
    .option('--json', 'print the update as JSON')
    .action(async (text, updateId, options, self) => {
      const session = cli.session(self);
      const { cluster, key } = parseWholeJob(text);
      await session.checkCluster(cluster);
      const params = { ...key, updateId: updateId ?? 'latest' };
      const update = await session.client.call('getUpdate', { params, signal: cli.io.signal });
      const events = options.events
        ? await listInstanceEvents(session.client, update, cli.io.signal)
        : undefined;
      if (options.json) return session.out.json({ ...update, ...(events && { instanceEvents: events }) });
      const lines = infoLines(update, events, { paint: session.out.paint, now: Date.now() });
      for (const line of lines) session.out.data(line);
    });
}
