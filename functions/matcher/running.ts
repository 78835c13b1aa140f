// What already runs of the jobs whose tasks carry a limit constraint (`limit:N` per attribute value).
import type { RunningTask } from '../../shared/domain/placement/index.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { isOnAgent } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { PendingRow, SetAside, Store } from '../../shared/store/port.ts';

const jobsAtOnce = 8;

/** The jobs among the waiting tasks that need counting, each once. */
export function limitedJobs(rows: readonly PendingRow[]): JobKey[] {
  const jobs = new Map<string, JobKey>();
  for (const { key, constraints } of rows) {
    if (constraints.some(({ kind }) => kind === 'limit')) jobs.set(jobPath(key), key);
  }
  return [...jobs.values()];
}

/** Every on-agent task of these jobs and where it is; the paths of jobs of which something cannot be read. */
export async function loadRunning(
  jobs: readonly JobKey[],
  store: Pick<Store, 'getJob' | 'listTasks'>,
  aside: SetAside,
): Promise<{ readonly running: RunningTask[]; readonly uncounted: readonly string[] }> {
  const uncounted: string[] = [];
  const perJob = await mapLimit(jobs, jobsAtOnce, async (key) => {
    const job = await store.getJob(key);
    if (!job || job.instanceSpan === 0) return [];
    const path = jobPath(key);
    const tasks = await store.listTasks(key, [0, job.instanceSpan - 1], (row) => {
      uncounted.push(path);
      aside(row);
    });
    return tasks.flatMap(({ state, agentId }) =>
      isOnAgent(state) && agentId !== undefined ? [{ jobPath: path, agentId }] : [],
    );
  });
  return { running: perJob.flat(), uncounted };
}
