// borealis update list: updates by pattern, the most recently changed first.
import type { Command } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import { isTerminalUpdate, type UpdateStatus, updateStatuses } from '../../shared/model/update.ts';
import { listMatchingUpdates } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { repeatable } from '../job-file.ts';
import { parsePattern } from '../keys.ts';
import { plain } from '../output/style.ts';
import { tableLines } from '../output/table.ts';
import { formatSpan } from '../output/words.ts';
import { statusFormat } from '../update/words.ts';

export const examples: readonly Example[] = [
  ['borealis update list', 'every update of the last 30 days'],
  ['borealis update list local/demo --status active', 'those of one role that have not ended'],
  ['borealis update list local/demo/devel/hello-service --json | jq -r ".updates[0].status"', 'for programs'],
];
export const exits = [3, 6] as const;

/** Words for groups of statuses (spec/client-and-ui.md section 3). */
const statusWords: Readonly<Record<string, readonly UpdateStatus[]>> = {
  all: updateStatuses,
  active: updateStatuses.filter((status) => !isTerminalUpdate(status)),
  inactive: updateStatuses.filter(isTerminalUpdate),
  blocked: ['ROLL_FORWARD_AWAITING_PULSE', 'ROLL_BACK_AWAITING_PULSE'],
  paused: ['ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED'],
  succeeded: ['ROLLED_FORWARD'],
  failed: ['ROLLED_BACK', 'FAILED', 'ABORTED', 'ERROR'],
};

export function define(command: Command, cli: Cli): void {
  command
    .description('Updates by pattern, the most recently changed first. With -q only job key and update id.')
    .argument('[pattern]', 'cluster[/role[/environment[/name]]], shell globs allowed', '*')
    .option(
      '--status <status>',
      `${Object.keys(statusWords).join(', ')}, or the name of a status; may be repeated`,
      repeatable,
    )
    .option('--user <user>', 'only those started by this user')
    .option('--json', 'print {"updates":[...]}')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const statuses = options.status?.flatMap(statusesOf);
      const updates = await listMatchingUpdates(session.client, parsePattern(text), {
        statuses,
        user: options.user,
        signal: cli.io.signal,
      });
      if (options.json) return session.out.json({ updates });
      if (session.quiet) {
        for (const { job, updateId } of updates) session.out.data(`${job} ${updateId}`);
        return;
      }
      if (updates.length === 0) return session.out.say(`no update matches ${text}`);
      const now = Date.now();
      const ago = (at: string): string => `${formatSpan(now - Date.parse(at))} ago`;
      const rows = updates.map((update) => [
        update.job,
        update.updateId,
        update.kind,
        { text: update.status, format: statusFormat(update.status) },
        `${update.progress.done}/${update.progress.total}`,
        plain(update.user),
        ago(update.createdAt),
        ago(update.updatedAt),
      ]);
      const headers = [
        'JOB',
        'UPDATE ID',
        'KIND',
        'STATUS',
        'DONE',
        'CREATED BY',
        'STARTED',
        'LAST MODIFIED',
      ];
      for (const line of tableLines(headers, rows, session.out.paint)) session.out.data(line);
    });
}

function statusesOf(word: string): readonly UpdateStatus[] {
  const group = statusWords[word.toLowerCase()];
  if (group) return group;
  const one = updateStatuses.find((status) => status === word.toUpperCase());
  if (one) return [one];
  throw new BorealisError(
    'INVALID_REQUEST',
    `"${word}" is not a status; write one of ${Object.keys(statusWords).join(', ')} or ${updateStatuses.join(', ')}.`,
  );
}
