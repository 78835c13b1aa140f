// Stored entities as the API shows them (shared/api/views.ts): ISO times, explicit nulls.
import type { AgentView, DrainView, JobView, TaskView } from '../../shared/api/views.ts';
import type { PresenceFacts } from '../../shared/domain/agent/presence.ts';
import { desiredCount } from '../../shared/domain/job/desired.ts';
import type { Drain } from '../../shared/model/agent.ts';
import type { Job } from '../../shared/model/job.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import type { Task } from '../../shared/model/task.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';

const jobsAtOnce = 16;

type ShownConfig = Pick<TaskConfig, 'service' | 'tier' | 'priority' | 'metadata' | 'contact'>;

/** What of a config the view of a job shows; a job that desires nothing has no config and shows these. */
const noConfig: ShownConfig = {
  service: false,
  tier: 'preemptible',
  priority: 0,
  metadata: {},
};

/** Jobs with what their first config says of them. */
export async function jobViews(jobs: readonly Job[], configs: ConfigCache): Promise<JobView[]> {
  return mapLimit(jobs, jobsAtOnce, async (job) => {
    const configId = job.desired[0]?.configId;
    const config = configId === undefined ? noConfig : await configs.get(job, configId);
    return jobView(job, config);
  });
}

function jobView(job: Job, config: ShownConfig): JobView {
  const { role, environment, name, cluster } = job;
  return {
    role,
    environment,
    name,
    key: `${cluster}/${jobPath(job)}`,
    cluster,
    service: config.service,
    tier: config.tier,
    priority: config.priority,
    instances: desiredCount(job),
    desired: job.desired.map(({ instances, configId }) => ({ instances, configId })),
    specVersion: job.specVersion,
    reconciled: job.reconciledVersion >= job.specVersion,
    contact: config.contact ?? null,
    metadata: config.metadata,
    createdBy: job.createdBy,
    createdAt: isoTime(job.createdAt),
    updatedAt: isoTime(job.updatedAt),
  };
}

/** A task as it is stored, events oldest first. */
export function taskView(task: Task): TaskView {
  return {
    role: task.role,
    environment: task.environment,
    name: task.name,
    instance: task.instance,
    taskId: task.taskId,
    generation: task.generation,
    state: task.state,
    agentId: task.agentId ?? null,
    configId: task.configId,
    failureCount: task.failureCount,
    ancestorId: task.ancestorId ?? null,
    resources: task.resources,
    grant: task.grant ?? null,
    createdAt: isoTime(task.createdAt),
    deadlineAt: task.deadlineAt === undefined ? null : isoTime(task.deadlineAt),
    events: task.events.map(({ state, at, message }) => ({ state, at: isoTime(at), message: message ?? '' })),
  };
}

/** An agent with what is free on it. `tasks`: ids of the tasks on it (the ledger itself keeps shorter ones). */
export function agentView(
  { agent, ledger }: AgentWithLedger,
  tasks: readonly Task[],
  { presence, lastSeenAt }: PresenceFacts,
): AgentView {
  const {
    registeredAt,
    sessionId: _id,
    sessionAt: _since,
    pastSessions: _past,
    lostAt: _lost,
    drain,
    ...offer
  } = agent;
  return {
    ...offer,
    presence,
    drain: drain ? drainView(drain) : null,
    registeredAt: isoTime(registeredAt),
    lastSeenAt: isoTime(lastSeenAt),
    free: {
      cpuMilli: ledger.freeCpuMilli,
      ramMb: ledger.freeRamMb,
      diskMb: ledger.freeDiskMb,
      // Cards that are gone while tasks hold them are the ledger's business only.
      gpuMilli: ledger.gpus.slice(0, agent.capacity.gpus.length).map(({ freeMilli }) => freeMilli),
    },
    tasks: tasks.map(({ taskId }) => taskId),
  };
}

export function drainView(drain: Drain): DrainView {
  return { ...drain, requestedAt: isoTime(drain.requestedAt), deadlineAt: isoTime(drain.deadlineAt) };
}

export function isoTime(at: number): string {
  return new Date(at).toISOString();
}
