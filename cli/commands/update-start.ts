// borealis update start: takes a job to what a file says, batch by batch.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { repeatable } from '../job-file.ts';
import { parseOptionalMs } from '../keys.ts';
import { updateFromFile } from '../update/from-file.ts';
import { readMetadata, withUpdateOptions } from '../update/settings.ts';
import { runUpdate } from '../update/start.ts';

export const examples: readonly Example[] = [
  [
    'borealis update start examples/hello-service/job.yaml --wait',
    'one instance at a time, follow it to its end',
  ],
  [
    'borealis update start job.yaml --batch-size 3 --wait-for-batch --watch 30s',
    'batches of 3, each watched 30 s',
  ],
  ['borealis update start local/demo/devel/hello-service/0 job.yaml', 'instance 0 only: a canary'],
  [
    'borealis update start job.yaml --batches 1,5,20 --auto-pause -m "new codec"',
    'growing batches, resumed by hand',
  ],
  ['borealis update start job.yaml --expect-version 7', 'only if the job is as `update plan` saw it'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateOptions(
    command
      .description(
        'Take a service to what a file says, batch by batch under health watch; put back in reverse if too many fail. Creates the job if there is none.',
      )
      .usage('[options] [key[/INSTANCES]] <file>')
      .argument('<key-or-file>', 'cluster/role/environment/name, with /0-2,5 to touch only these instances')
      .argument('[file]', 'job file')
      .option('--bind <name=value>', 'value of a {{name}} in the file; may be repeated', repeatable)
      .option('--read-json', 'the file is JSON whatever its name')
      .option('-m, --message <text>', 'why, kept in the history of the update')
      .option('--metadata <name=value>', 'label kept with the update; may be repeated', repeatable)
      .option('--expect-version <n>', 'refuse unless the job is at this version (printed by `update plan`)')
      .option('--wait', 'follow the update to its end')
      .option('--timeout <span>', 'longest wait; default as long as it takes')
      .option('--json', 'print the update as JSON'),
  ).action(async (first, second, options, self) => {
    const session = cli.session(self);
    const timeoutMs = parseOptionalMs(options.timeout);
    const metadata = readMetadata(options.metadata);
    const { key, shown, body } = await updateFromFile(session, first, second, options);
    await runUpdate(cli, session, {
      key,
      shown,
      body: { ...body, ...(metadata && { metadata }) },
      words: options,
      timeoutMs,
    });
  });
}
