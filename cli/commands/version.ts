// borealis version: the versions of client and API, and which API is used and who said so.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { ownVersion } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis version', 'versions, and where the address of the API comes from'],
  ['BOREALIS_API=http://host:8081 borealis version --json', 'of another API, for programs'],
];
export const exits = [6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Versions of this client and of the API, the cluster, and where its address was said.')
    .option('--json', 'print as JSON; "server" is null when the API is not reached')
    .action(async (options, self) => {
      const session = cli.session(self);
      const { address, out } = session;
      const client = ownVersion();
      const server = await session.client
        .call('version', { signal: cli.io.signal })
        .catch((error: unknown) => (error instanceof BorealisError ? error : Promise.reject(error)));
      const reached = server instanceof BorealisError ? undefined : server;
      if (options.json)
        out.json({ client, api: address.url, source: address.source, server: reached ?? null });
      else {
        out.data(`client   ${client} (Node ${process.versions.node})`);
        out.data(`api      ${address.url} (from ${address.source})`);
        if (reached) out.data(`server   ${reached.version}, cluster ${reached.cluster}`);
      }
      if (server instanceof BorealisError) throw server;
      if (reached && reached.version !== client) {
        out.warn(`client ${client} and server ${reached.version} differ; some commands may not work`);
      }
    });
}
