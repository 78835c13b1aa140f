// borealis job list: jobs by pattern, one a line.
import type { Command } from '@commander-js/extra-typings';
import { listMatching } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { parsePattern } from '../keys.ts';
import { tableLines } from '../output/table.ts';
import { formatSpan } from '../output/words.ts';

export const examples: readonly Example[] = [
  ['borealis job list', 'every job'],
  ["borealis job list 'local/www/*/web-*'", 'by role and name'],
  ['borealis job list local/www --json | jq -r ".jobs[].key"', 'for programs'],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Jobs by pattern; missing parts and * match everything. With -q only the keys.')
    .argument('[pattern]', 'cluster[/role[/environment[/name]]], shell globs allowed', '*')
    .option('--json', 'print {"jobs":[...]}')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const jobs = await listMatching(session.client, parsePattern(text), cli.io.signal);
      if (options.json) return session.out.json({ jobs });
      if (session.quiet) {
        for (const job of jobs) session.out.data(job.key);
        return;
      }
      if (jobs.length === 0) return session.out.say(`no job matches ${text}`);
      const now = Date.now();
      const rows = jobs.map((job) => [
        job.key,
        job.service ? 'service' : 'batch',
        job.instances,
        job.tier,
        job.priority,
        `${formatSpan(now - Date.parse(job.createdAt))} ago`,
        job.reconciled ? '' : 'changing',
      ]);
      const headers = ['JOB', 'KIND', 'INSTANCES', 'TIER', 'PRIORITY', 'CREATED', ''];
      for (const line of tableLines(headers, rows, session.out.paint)) session.out.data(line);
    });
}
