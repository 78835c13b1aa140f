// Reads the tasks of a whole job, interval by interval.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Job } from '../../shared/model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { Task } from '../../shared/model/task.ts';
import { chunks, mapLimit } from '../../shared/store/flow.ts';
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

/** Instances to read; all of the job's if absent. */
export interface Span {
  readonly from?: number;
  /** Exclusive. */
  readonly to?: number;
}

/**
 * Hands every row of the job to `visit`, interval by interval in order of instances, until that answers `stop`. A few
 * reads are ahead of the visit, so a large job is never in memory as a whole.
 */
export async function visitTasks(
  store: Pick<Store, 'listTasks'>,
  job: Job,
  visit: (tasks: readonly Task[]) => 'stop' | undefined,
  { from = 0, to = job.instanceSpan }: Span = {},
): Promise<void> {
  const intervals: InstanceRange[] = [];
  for (let low = from; low < to; low += intervalSize) {
    intervals.push([low, Math.min(low + intervalSize, to) - 1]);
  }
  for (const ahead of chunks(intervals, intervalsAtOnce)) {
    const pages = await mapLimit(ahead, intervalsAtOnce, (interval) => store.listTasks(job, interval));
    for (const tasks of pages) if (visit(tasks) === 'stop') return;
  }
}
