// What a plan of drains is made from: the tasks of each agent, and all tasks of the jobs concerned.
import type { CountedJob, DrainingAgent } from '../../shared/domain/drain/plan-drain.ts';
import { desiredInstances } from '../../shared/domain/job/desired.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger, SetAside, Store } from '../../shared/store/port.ts';

const jobsAtOnce = 4;

/** An agent that is being emptied with its tasks. One without a drain record (it never should be) is emptied at once. */
export async function drainingAgent(
  { agent }: AgentWithLedger,
  store: Pick<Store, 'listOnAgent'>,
  aside?: SetAside,
): Promise<DrainingAgent> {
  const { agentId, drain } = agent;
  const tasks = await store.listOnAgent(agentId, aside);
  const none = { requestedAt: 0, deadlineAt: 0, percentage: 0, settledSecs: 0, reason: '', requestedBy: '' };
  return { agentId, drain: drain ?? none, tasks };
}

/** Every task of each job, by the job's path; a job that is gone has none. */
export async function readJobs(
  jobs: ReadonlyMap<string, JobKey>,
  store: Pick<Store, 'getJob' | 'listTasks'>,
  aside?: SetAside,
): Promise<ReadonlyMap<string, CountedJob>> {
  const read = await mapLimit([...jobs], jobsAtOnce, async ([path, key]) => {
    const job = await store.getJob(key);
    const interval = [0, Math.max(0, (job?.instanceSpan ?? 0) - 1)] as const;
    const tasks = job === undefined ? [] : await store.listTasks(key, interval, aside);
    return [path, { tasks, wanted: job === undefined ? 0 : countInstances(desiredInstances(job)) }] as const;
  });
  return new Map(read);
}
