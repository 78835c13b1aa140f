// borealis job create: reads a job file, submits one job of it, waits if asked.
import { randomUUID } from 'node:crypto';
import { type Command, Option } from '@commander-js/extra-typings';
import { BorealisError } from '../../shared/lib/errors.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import type { Cli, Example } from '../command.ts';
import { keyAndFile, loadOneJob, repeatable } from '../job-file.ts';
import { formatKey, parseDurationMs } from '../keys.ts';
import { count } from '../output/words.ts';
import type { Goal } from '../wait/judge.ts';
import { waitForJob } from '../wait/wait.ts';

export const examples: readonly Example[] = [
  ['borealis job create examples/hello-service/job.yaml', 'submit, return at once'],
  [
    'borealis job create local/demo/devel/hello-service hello.yaml --wait',
    'one job of a file, wait until it runs',
  ],
  ['borealis job create etl.ts --bind day=2026-11-22 --wait-until FINISHED --timeout 1h', 'fill {{day}} in'],
];
export const exits = [3, 4, 6, 9, 10] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Submit a job from a file (YAML, JSON or TypeScript). Safe to repeat on a broken connection.',
    )
    .usage('[options] [key] <file>')
    .argument('<key-or-file>', 'cluster/role/environment/name; may be left out when the file holds one job')
    .argument('[file]', 'job file')
    .option('--bind <name=value>', 'value of a {{name}} in the file; may be repeated', repeatable)
    .option('--read-json', 'the file is JSON whatever its name')
    .option('--wait', 'wait until every instance runs (or has finished)')
    .addOption(
      new Option('--wait-until <state>', 'wait until every instance has got there').choices([
        'PENDING',
        'RUNNING',
        'FINISHED',
      ] as const),
    )
    .option('--timeout <span>', 'longest wait', '5m')
    .option('--json', 'print the stored job as JSON')
    .action(async (first, second, options, self) => {
      const session = cli.session(self);
      const goal = goalOf(options.wait, options.waitUntil);
      const timeoutMs = parseDurationMs(options.timeout);
      const { submission, cluster } = await loadOneJob({
        ...keyAndFile(first, second),
        bind: options.bind,
        json: options.readJson,
      });
      checkGoal(submission, goal);
      if (cluster !== undefined) await session.checkCluster(cluster);
      const { role, environment, name } = submission;
      const accepted = await session.client.call('createJob', {
        params: { role, environment, name },
        body: submission,
        idempotencyKey: randomUUID(),
        signal: cli.io.signal,
      });
      const shown = formatKey(accepted.job.cluster, submission);
      const size = countInstances(submission.configs.flatMap(({ instances }) => instances));
      session.out.say(`job ${shown} is accepted: ${count(size, 'instance')}`);
      if (options.json) session.out.json(accepted.job);
      else session.out.data(shown);
      if (goal === 'PENDING') {
        session.out.say(`  see it with: borealis job status ${shown}`);
        return;
      }
      await waitForJob(session, { key: submission, shown, goal, timeoutMs });
      session.out.say(
        `job ${shown}: every instance is ${goal === 'RUNNING' ? 'running or finished' : 'finished'}`,
      );
    });
}

function goalOf(wait: true | undefined, until: Goal | undefined): Goal {
  return until ?? (wait ? 'RUNNING' : 'PENDING');
}

/** A service is restarted whenever it ends: waiting for its end would only time out. */
function checkGoal(submission: JobSubmission, goal: Goal): void {
  if (goal !== 'FINISHED' || !submission.configs.some(({ task }) => task.service)) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    'the job is a service, which never is FINISHED; nothing was submitted. Use --wait-until RUNNING.',
  );
}
