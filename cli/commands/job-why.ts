// borealis job why: why tasks of a job wait.
import type { Command } from '@commander-js/extra-typings';
import type { Why } from '../../shared/api/views.ts';
import type { Cli, Example } from '../command.ts';
import { parseWholeJob } from '../keys.ts';
import type { Paint } from '../output/style.ts';
import { tableLines } from '../output/table.ts';
import { explainWhy, reasonText } from '../why.ts';

export const examples: readonly Example[] = [
  ['borealis job why local/demo/devel/hello-service', 'in words: what is missing, where it comes closest'],
  ['borealis job why local/demo/devel/hello-service --agents', 'every agent with all that stands against it'],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Why tasks of a job wait, with counts per reason; says when a job can never fit.')
    .argument('<key>', 'cluster/role/environment/name')
    .option('--agents', 'each agent with all that stands against it')
    .option('--json', 'print the reasons as JSON')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const { cluster, key } = parseWholeJob(text);
      await session.checkCluster(cluster);
      const why = await session.client.call('whyPending', {
        params: key,
        query: options.agents ? { agents: 'true' } : {},
        signal: cli.io.signal,
      });
      if (options.json) return session.out.json(why);
      const lines = explainWhy(why);
      if (lines.length === 0) return session.out.data(`no task of ${text} waits`);
      for (const line of lines) session.out.data(line);
      if (options.agents) for (const line of agentLines(why, session.out.paint)) session.out.data(line);
    });
}

function agentLines(why: Why, paint: Paint): string[] {
  const several = why.pending.length > 1;
  const rows = why.pending.flatMap(({ configId, agents }) =>
    (agents ?? []).map(({ agentId, reasons }) => [
      ...(several ? [configId] : []),
      agentId,
      reasons.length === 0 ? 'would take it now' : reasons.map(reasonText).join('; '),
    ]),
  );
  return tableLines([...(several ? ['CONFIG'] : []), 'AGENT', 'THE TASK'], rows, paint);
}
