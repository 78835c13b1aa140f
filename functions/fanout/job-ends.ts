// Whether a job has ended: its newest version is carried out, no update works on it and none of its tasks is active. Nothing is stored for it;
// it is read from the tasks whenever one of them may have been the last. A job remembers one of its active tasks, the
// witness, so that as long as that one lives a check costs two reads, whatever the size of the job.
import { needsReconcile } from '../../shared/domain/job/desired.ts';
import { jobOutcome, lastTasks, type TaskEnds } from '../../shared/domain/job/outcome.ts';
import type { EventDetail } from '../../shared/model/events.ts';
import type { Job } from '../../shared/model/job.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { isActive, type Task } from '../../shared/model/task.ts';
import type { Store } from '../../shared/store/port.ts';

/** One partition of tasks. */
const intervalSize = 250;
/** Jobs whose witness is remembered. */
const maxWitnesses = 1000;

export interface JobEnds {
  /** The event that the job has ended, or undefined if it has not. */
  check(key: JobKey): Promise<EventDetail<'Job Ended'> | undefined>;
}

/** `keptMs`: how long after its end a job's row is kept, as long as those of its tasks. */
export function createJobEnds(
  store: Pick<Store, 'getJob' | 'getTasks' | 'listTasks' | 'expireJob'>,
  keptMs = 2 * 24 * 3600_000,
): JobEnds {
  const witnesses = new Map<string, string>();
  const remember = (path: string, { taskId }: Task) => {
    witnesses.delete(path);
    witnesses.set(path, taskId);
    const [oldest] = witnesses.keys();
    if (witnesses.size > maxWitnesses && oldest !== undefined) witnesses.delete(oldest);
  };
  return {
    async check(key) {
      const path = jobPath(key);
      const witness = witnesses.get(path);
      if (witness !== undefined) {
        let isUnread = false;
        const [task] = await store.getTasks([witness], () => {
          isUnread = true;
        });
        if (isUnread || (task && isActive(task.state))) return undefined;
        witnesses.delete(path);
      }
      const job = await store.getJob(key);
      // While it is updated its tasks end to be followed by others.
      if (!job || needsReconcile(job) || job.updateId !== undefined) return undefined;
      const found = await readEnds(job, store);
      if (found === undefined) return undefined;
      if ('active' in found) {
        remember(path, found.active);
        return undefined;
      }
      const detail = endedDetail(job, found);
      await store.expireJob(job, Date.parse(detail.at) + keptMs);
      return detail;
    },
  };
}

/**
 * From the highest instances down, as the lowest tend to end first. Stops at the first active task. Undefined if a row
 * cannot be read: that task may be active.
 */
async function readEnds(
  job: Job,
  store: Pick<Store, 'listTasks'>,
): Promise<TaskEnds | { readonly active: Task } | undefined> {
  const ends = { finished: 0, failed: 0, killed: 0, lost: 0, endedAt: 0 };
  for (let high = job.instanceSpan - 1; high >= 0; high -= intervalSize) {
    let isUnread = false;
    const interval = [Math.max(0, high - intervalSize + 1), high] as const;
    const tasks = await store.listTasks(job, interval, () => {
      isUnread = true;
    });
    const active = tasks.findLast(({ state }) => isActive(state));
    if (active) return { active };
    if (isUnread) return undefined;
    for (const { state, at } of lastTasks(tasks, job.createdAt)) {
      ends[state]++;
      ends.endedAt = Math.max(ends.endedAt, at);
    }
  }
  return ends;
}

function endedDetail(job: Job, ends: TaskEnds): EventDetail<'Job Ended'> {
  const { role, environment, name, cluster, specVersion } = job;
  const { endedAt, ...instances } = ends;
  return {
    version: 1,
    cluster,
    role,
    environment,
    name,
    specVersion,
    outcome: jobOutcome(job, ends),
    instances,
    // A job killed before any agent had a task of it leaves no records.
    at: new Date(endedAt === 0 ? job.updatedAt : endedAt).toISOString(),
  };
}
