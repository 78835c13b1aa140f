// borealis update wait: follows an update to its end.
import type { Command } from '@commander-js/extra-typings';
import type { JobKey } from '../../shared/model/job-key.ts';
import type { Cli, Example } from '../command.ts';
import { formatKey, parseOptionalMs, parseWholeJob } from '../keys.ts';
import { watchUpdate } from '../update/watch.ts';
import { exitOfEnd } from '../update/words.ts';

export const examples: readonly Example[] = [
  ['borealis update wait local/demo/devel/hello-service', 'the newest update, with a bar for each batch'],
  [
    'borealis update wait local/demo/devel/hello-service --timeout 30m || echo "not rolled forward"',
    'in a script: 0 rolled forward, 4 rolled back, 20 ended otherwise, 9 not ended yet',
  ],
];
export const exits = [3, 4, 6, 9] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Follow an update to its end. Ctrl-C stops the watching, not the update.')
    .argument('<key>', 'cluster/role/environment/name')
    .argument('[update-id]', 'default the newest update of the job')
    .option('--timeout <span>', 'longest wait; default as long as it takes')
    .option('--json', 'print the update as it has ended as JSON')
    .action(async (text, given, options, self) => {
      const session = cli.session(self);
      const { cluster, key } = parseWholeJob(text);
      const timeoutMs = parseOptionalMs(options.timeout);
      await session.checkCluster(cluster);
      // By id from here on: another update may begin as soon as this one has ended.
      const updateId = given ?? (await latestId(session.client, key, cli.io.signal));
      const shown = formatKey(cluster, key);
      const ended = await watchUpdate(session, { key, shown, updateId, timeoutMs });
      if (options.json) session.out.json(ended);
      cli.exit(exitOfEnd(ended.status));
    });
}

async function latestId(
  client: ReturnType<Cli['session']>['client'],
  key: JobKey,
  signal: AbortSignal,
): Promise<string> {
  const latest = await client.call('getUpdate', { params: { ...key, updateId: 'latest' }, signal });
  return latest.updateId;
}
