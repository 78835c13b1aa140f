// borealis job diff: what submitting a file would change of a stored job.
import type { Command } from '@commander-js/extra-typings';
import type { JobDetail } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Cli, Example } from '../command.ts';
import { keyAndFile, loadOneJob, repeatable } from '../job-file.ts';
import { formatKey } from '../keys.ts';
import type { Paint } from '../output/style.ts';

export const examples: readonly Example[] = [
  ['borealis job diff local/demo/devel/hello-service job.yaml', 'what would be added, removed, changed'],
  ['borealis job diff job.yaml --exit-code -q && echo unchanged', 'in a script: 0 no change, 1 changes'],
];
export const exits = [1, 3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('What a job file would change of the stored job. Exits 0 also when there are differences.')
    .usage('[options] [key] <file>')
    .argument('<key-or-file>', 'cluster/role/environment/name; may be left out when the file holds one job')
    .argument('[file]', 'job file')
    .option('--bind <name=value>', 'value of a {{name}} in the file; may be repeated', repeatable)
    .option('--read-json', 'the file is JSON whatever its name')
    .option('--exit-code', 'exit 1 when there are differences')
    .option('--json', 'print the differences as JSON')
    .action(async (first, second, options, self) => {
      const session = cli.session(self);
      const given = { ...keyAndFile(first, second), bind: options.bind, json: options.readJson };
      const { submission, cluster } = await loadOneJob(given);
      if (cluster !== undefined) await session.checkCluster(cluster);
      const { diffJobs, formatJobDiff } = await import('../../shared/config/diff-jobs.ts');
      const { role, environment, name } = submission;
      const params = { role, environment, name };
      const stored = await session.client
        .call('getJob', { params, query: { limit: 1, history: 'false' }, signal: cli.io.signal })
        .catch((error: unknown) => {
          if (error instanceof BorealisError && error.code === 'NOT_FOUND') return undefined;
          throw error;
        });
      const diff = diffJobs(stored ? storedConfigs(stored) : [], submission.configs);
      const differs = diff.added.length + diff.removed.length + diff.changed.length > 0;
      if (options.json) session.out.json(diff);
      else if (!session.quiet) {
        const shown = formatKey(stored?.job.cluster ?? (await session.cluster()), params);
        if (!stored) session.out.say(`${shown} is not stored: all of it would be added`);
        for (const line of formatJobDiff(diff).split('\n')) session.out.data(colour(line, session.out.paint));
      }
      if (options.exitCode && differs) cli.exit(1);
    });
}

function storedConfigs({
  job,
  configs,
}: JobDetail): Parameters<typeof import('../../shared/config/diff-jobs.ts').diffJobs>[0] {
  return job.desired.map(({ instances, configId }) => {
    const task = configs[configId];
    if (task) return { instances: [instances], task };
    throw new BorealisError(
      'INTERNAL',
      `the API did not send config ${configId} of the job; nothing was compared.`,
    );
  });
}

function colour(line: string, paint: Paint): string {
  if (line.startsWith('- ')) return paint('red', line);
  return line.startsWith('+ ') ? paint('green', line) : line;
}
