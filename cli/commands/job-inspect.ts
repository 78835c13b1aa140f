// borealis job inspect: what a job file says once defaults and bindings are filled in. Sends nothing.
import type { Command } from '@commander-js/extra-typings';
import { stringify } from 'yaml';
import type { Cli, Example } from '../command.ts';
import { keyAndFile, loadOneJob, repeatable } from '../job-file.ts';

export const examples: readonly Example[] = [
  ['borealis job inspect examples/hello-service/job.yaml', 'the job with every default filled in'],
  [
    'borealis job inspect local/demo/devel/hello-service hello.yaml --bind tag=1.4 --json',
    'as it would be sent',
  ],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Check a job file and show the job it describes. Works offline; nothing is sent.')
    .usage('[options] [key] <file>')
    .argument('<key-or-file>', 'cluster/role/environment/name; may be left out when the file holds one job')
    .argument('[file]', 'job file')
    .option('--bind <name=value>', 'value of a {{name}} in the file; may be repeated', repeatable)
    .option('--read-json', 'the file is JSON whatever its name')
    .option('--json', 'print the submission as JSON')
    .action(async (first, second, options, self) => {
      const session = cli.session(self);
      const { submission } = await loadOneJob({
        ...keyAndFile(first, second),
        bind: options.bind,
        json: options.readJson,
      });
      if (options.json) return session.out.json(submission);
      session.out.data(stringify(submission, { lineWidth: 0 }).trimEnd());
    });
}
