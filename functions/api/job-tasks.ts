// Reads the tasks of a whole job, interval by interval.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Job } from '../../shared/model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';

const intervalSize = 1000;
const intervalsAtOnce = 4;

/** NOT_FOUND says how to look for the right name. */
export async function existingJob(store: Pick<Store, 'getJob'>, key: JobKey): Promise<Job> {
  const job = await store.getJob(key);
  if (job) return job;
  throw new BorealisError(
    'NOT_FOUND',
    `there is no job ${jobPath(key)}; GET /jobs/${key.role} lists the jobs of this role`,
  );
}

/** Every row of the job from instance `from` on, in order of instances; `visit` is called per interval. */
export async function visitTasks(
  store: Pick<Store, 'listTasks'>,
  job: Job,
  visit: (tasks: readonly Task[]) => void,
  from = 0,
): Promise<void> {
  const intervals: InstanceRange[] = [];
  for (let low = from; low < job.instanceSpan; low += intervalSize) {
    intervals.push([low, Math.min(low + intervalSize, job.instanceSpan) - 1]);
  }
  // A few reads ahead, visited in order, so that a large job is never in memory as a whole.
  for (let start = 0; start < intervals.length; start += intervalsAtOnce) {
    const pages = await mapLimit(
      intervals.slice(start, start + intervalsAtOnce),
      intervalsAtOnce,
      (interval) => store.listTasks(job, interval),
    );
    for (const tasks of pages) visit(tasks);
  }
}
