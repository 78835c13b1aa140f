// From a key on the command line to the tasks it means.
import type { JobDetail, TaskView } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { containsInstance } from '../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import { isOnAgent } from '../../shared/model/task.ts';
import { parseTarget } from '../keys.ts';
import type { Session } from '../session.ts';
import { readJob } from './read.ts';

/** The job of a key, after the cluster was checked, and the instances the key names. */
export async function readJobAndTasks(
  session: Session,
  text: string,
): Promise<{ readonly detail: JobDetail; readonly instances: readonly InstanceRange[] | undefined }> {
  const { cluster, key, instances } = parseTarget(text);
  await session.checkCluster(cluster);
  return { detail: await readJob(session.client, key, { signal: session.io.signal }), instances };
}

/** Per instance the task on an agent, else the newest one that was. NOT_FOUND if there is none. */
export function chosenTasks(detail: JobDetail, instances: readonly InstanceRange[] | undefined): TaskView[] {
  const best = new Map<number, TaskView>();
  for (const task of detail.tasks) {
    if (task.agentId === null || (instances && !containsInstance(instances, task.instance))) continue;
    const known = best.get(task.instance);
    if (!known || task.generation > known.generation) best.set(task.instance, task);
  }
  if (best.size === 0) {
    throw new BorealisError(
      'NOT_FOUND',
      `no task of ${detail.job.key} has been on an agent yet. See \`borealis job status ${detail.job.key}\`.`,
    );
  }
  return [...best.values()].toSorted((a, b) => a.instance - b.instance);
}

/** The tasks that are on an agent now. */
export function liveTasks(detail: JobDetail, instances: readonly InstanceRange[] | undefined): TaskView[] {
  return detail.tasks
    .filter(({ state, agentId }) => isOnAgent(state) && agentId !== null)
    .filter(({ instance }) => instances === undefined || containsInstance(instances, instance))
    .toSorted((a, b) => a.instance - b.instance);
}
