// borealis update plan: what `update start` would do, and where new tasks would be placed. Changes nothing.
import type { Command } from '@commander-js/extra-typings';
import type { Cli, Example } from '../command.ts';
import { repeatable } from '../job-file.ts';
import { updateFromFile } from '../update/from-file.ts';
import { withUpdateOptions } from '../update/settings.ts';
import { showPlan } from '../update/show-plan.ts';

export const examples: readonly Example[] = [
  [
    'borealis update plan examples/hello-service/job.yaml',
    'what would be ended, created and kept, and where',
  ],
  ['borealis update plan local/demo/devel/hello-service/0 job.yaml', 'for a canary of instance 0'],
  ['borealis update plan job.yaml -q && echo unchanged', 'in a script: 0 no change, 1 changes'],
  [
    'borealis update plan job.yaml --json | jq .version',
    'the version to give to `update start --expect-version`',
  ],
];
export const exits = [1, 3, 4, 6] as const;

export function define(command: Command, cli: Cli): void {
  withUpdateOptions(
    command
      .description(
        'What `update start` with the same arguments would do: which tasks would be ended, created and kept, and where each new one would be placed or why nowhere. Exits 1 when there are changes.',
      )
      .usage('[options] [key[/INSTANCES]] <file>')
      .argument('<key-or-file>', 'cluster/role/environment/name, with /0-2,5 to touch only these instances')
      .argument('[file]', 'job file')
      .option('--bind <name=value>', 'value of a {{name}} in the file; may be repeated', repeatable)
      .option('--read-json', 'the file is JSON whatever its name')
      .option('--expect-version <n>', 'refuse unless the job is at this version')
      .option('--json', 'print the plan as JSON'),
  ).action(async (first, second, options, self) => {
    const session = cli.session(self);
    const { key, shown, body } = await updateFromFile(session, first, second, options);
    await showPlan(cli, session, { key, shown, body, json: options.json });
  });
}
