// borealis replay: a real cluster's trace through the same API, matcher and store, with simulated agents.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { reportLines } from '../replay/report-text.ts';

const files = '--nodes openb_node_list_all_node.csv --tasks openb_pod_list_default.csv';

export const examples: readonly Example[] = [
  [`borealis replay ${files}`, 'all at once'],
  [`borealis replay ${files} --speedup 100000 --limit 2000 --json`, "by the trace's own times, compressed"],
];
export const exits = [3, 4, 6, 9] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      `Put a cluster trace (openb CSV files) through the system and report packing, rates and latencies.

Every node becomes a simulated agent: it registers, gets its commands and reports over the same queues and messages as a
real one, but runs nothing. Every task is submitted through the HTTP API in file order, ${1000} to a job, with equal priority.
All at once (default): agents fetch their commands when every task is placed or has a reason, so that the placement is
measured alone; then the placed tasks start, run and finish, to count the write units of a life. With --speedup N: tasks
are submitted at their creation time and finish after their life time, both divided by N. Over-commit is counted anew from
all tasks in the store. Last the same writes are made raw on a fresh engine of the same kind, for comparison.
Uses an embedded stack of its own, or the one behind --api or BOREALIS_API if that is given (it must have no agents).`,
    )
    .requiredOption('--nodes <file>', 'CSV with sn, cpu_milli, memory_mib, gpu, model')
    .requiredOption(
      '--tasks <file>',
      'CSV with name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec, creation_time, deletion_time',
    )
    .option('--speedup <n>', "follow the trace's own times, so many times as fast")
    .option('--limit <n>', 'only the first so many tasks')
    .option('--json', 'print one JSON object')
    .action(async (options, self) => {
      const session = cli.session(self);
      const speedup = positive('--speedup', options.speedup);
      const limit = positive('--limit', options.limit);
      const { replay } = await import('../replay/replay.ts');
      const result = await replay({
        nodesFile: options.nodes,
        tasksFile: options.tasks,
        ...(speedup !== undefined && { speedup }),
        ...(limit !== undefined && { limit }),
        // Only an API somebody named is used; the default address may be a stack with other work.
        api: session.address.source === 'default' ? undefined : session.address.url,
        env: cli.io.env,
        say: session.out.say,
        trace: session.out.trace,
        signal: cli.io.signal,
      });
      if (options.json) session.out.json(result.report);
      else for (const line of reportLines(result)) session.out.data(line);
      for (const finding of result.audit.findings.slice(0, 20)) session.out.warn(finding);
      if (result.audit.overCommitted.length > 0) {
        throw new BorealisError(
          'COMMAND_FAILED',
          `${result.audit.overCommitted.length} agents are over-committed.`,
        );
      }
    });
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && (option !== '--limit' || Number.isInteger(value))) return value;
  throw new BorealisError(
    'INVALID_REQUEST',
    `${option} "${text}" is not a positive number; nothing was started.`,
  );
}
