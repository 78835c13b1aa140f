// borealis job status: one job, or every job a pattern matches, with tasks and their history.
import type { Command } from '@commander-js/extra-typings';
import type { JobDetail, TaskView } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { containsInstance } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { listMatching, readJob } from '../client/read.ts';
import type { Cli, Example } from '../command.ts';
import { type JobTarget, parsePattern, parseTarget } from '../keys.ts';
import { statusLines } from '../output/status-text.ts';
import type { Session } from '../session.ts';

export const examples: readonly Example[] = [
  ['borealis job status local/demo/devel/hello-service', 'tasks of a job, running ones first'],
  [
    'borealis job status local/demo/devel/hello-service/0-2 --events',
    'some instances with every state they were in',
  ],
  ["borealis job status 'local/www/*'", 'every job of a role'],
  ['borealis job status local/demo/devel/hello-service --json', 'for programs'],
];
export const exits = [3, 6] as const;

export function define(command: Command, cli: Cli): void {
  command
    .description('Jobs with their tasks: active ones first, then those that have ended.')
    .argument('<key>', 'cluster/role/environment/name[/INSTANCES], or a pattern with globs')
    .option('--events', 'every state each task was in')
    .option('--json', 'print {"job":{...},"tasks":[...]}; for a pattern, a list of such objects')
    .option('--full', 'with --json: tasks with everything the API knows of them')
    .action(async (text, options, self) => {
      const session = cli.session(self);
      const full = options.full === true;
      if (isPattern(text)) {
        const details = await readMatching(session, text);
        if (options.json) return session.out.json(details.map((detail) => statusJson(detail, full)));
        for (const detail of details) print(session, detail, options.events === true);
        return;
      }
      const target = parseTarget(text);
      await session.checkCluster(target.cluster);
      const detail = narrowed(await readTarget(session, target), target.instances);
      if (options.json) return session.out.json(statusJson(detail, full));
      print(session, detail, options.events === true);
    });
}

/** A key with instances or without globs names one job; anything else is a pattern. */
function isPattern(text: string): boolean {
  return text.split('/').length < 4 || /[*?[]/.test(text);
}

function readTarget(session: Session, target: JobTarget): Promise<JobDetail> {
  return readJob(session.client, target.key, { signal: session.io.signal });
}

async function readMatching(session: Session, text: string): Promise<JobDetail[]> {
  const jobs = await listMatching(session.client, parsePattern(text), session.io.signal);
  if (jobs.length === 0) {
    throw new BorealisError('NOT_FOUND', `no job matches ${text}. List all with \`borealis job list\`.`);
  }
  const details: JobDetail[] = [];
  for (const job of jobs) details.push(await readJob(session.client, job, { signal: session.io.signal }));
  return details;
}

function narrowed(detail: JobDetail, instances: readonly InstanceRange[] | undefined): JobDetail {
  if (instances === undefined) return detail;
  return { ...detail, tasks: detail.tasks.filter((task) => containsInstance(instances, task.instance)) };
}

function print(session: Session, detail: JobDetail, events: boolean): void {
  for (const line of statusLines(detail, { paint: session.out.paint, now: Date.now(), events })) {
    session.out.data(line);
  }
}

/** The shape programs rely on: the job, and of each task its instance, id, state, agent and events. */
export function statusJson(detail: JobDetail, full = false): { job: object; tasks: readonly object[] } {
  const tasks = full ? detail.tasks : detail.tasks.map(briefTask);
  return { job: detail.job, tasks };
}

function briefTask({ instance, taskId, state, agentId, events }: TaskView): object {
  return { instance, taskId, state, agentId, events };
}
