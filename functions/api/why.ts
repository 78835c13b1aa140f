// GET .../why: what the matcher last said about the tasks that wait, and on request every agent's own reasons, now.
import type { Why } from '../../shared/api/views.ts';
import { attributeValues, type LimitCount, vetoes } from '../../shared/domain/placement/index.ts';
import { normaliseInstances } from '../../shared/model/instance-ranges.ts';
import type { Job } from '../../shared/model/job.ts';
import { type InstanceRange, jobPath } from '../../shared/model/job-key.ts';
import { isOnAgent, type Task } from '../../shared/model/task.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import type { ApiDeps, ResourceHandler } from './context.ts';
import { existingJob, visitTasks } from './job-tasks.ts';
import { isoTime } from './views.ts';

export const whyPending: ResourceHandler<'whyPending'> = async ({ params, query }, deps) => {
  const job = await existingJob(deps.store, params);
  const { waiting, throttled, placed } = await readWaiting(job, deps);
  const reasons = await deps.store.getReasons(job);
  const live = query.agents === 'true' ? await liveReasons([...waiting.values()], placed, deps) : undefined;
  return {
    job: `${deps.cluster}/${jobPath(job)}`,
    pending: [...waiting].map(([configId, { instances }]) => {
      const agents = live?.get(configId);
      return {
        configId,
        instances: normaliseInstances(instances),
        reason: reasons.get(configId) ?? null,
        ...(agents && { agents }),
      };
    }),
    throttled,
  };
};

interface Waiting {
  readonly instances: InstanceRange[];
  /** Any of them: tasks of one config differ in nothing a filter looks at. */
  readonly sample: Task;
}

async function readWaiting(job: Job, deps: ApiDeps) {
  const waiting = new Map<string, Waiting>();
  const throttled: Why['throttled'] = [];
  /** Tasks of this job per agent, for its limit constraints. */
  const placed = new Map<string, number>();
  await visitTasks(deps.store, job, (tasks) => {
    for (const task of tasks) {
      const { state, instance, configId, agentId, deadlineAt } = task;
      if (state === 'PENDING') {
        const group = waiting.get(configId) ?? { instances: [], sample: task };
        group.instances.push([instance, instance]);
        waiting.set(configId, group);
      } else if (state === 'THROTTLED') {
        throttled.push({ instance, until: deadlineAt === undefined ? null : isoTime(deadlineAt) });
      } else if (isOnAgent(state) && agentId !== undefined) {
        placed.set(agentId, (placed.get(agentId) ?? 0) + 1);
      }
    }
    return undefined;
  });
  throttled.sort((a, b) => a.instance - b.instance);
  return { waiting, throttled, placed };
}

type AgentReasons = NonNullable<Why['pending'][number]['agents']>;

/** For each config, each agent of its pool with all that stands against it at this moment. */
async function liveReasons(
  waiting: readonly Waiting[],
  placed: ReadonlyMap<string, number>,
  deps: ApiDeps,
): Promise<ReadonlyMap<string, AgentReasons>> {
  const names = [...new Set(waiting.map(({ sample }) => sample.pool))];
  const pools = new Map(
    await Promise.all(names.map(async (pool) => [pool, await deps.store.loadPool(pool)] as const)),
  );
  return new Map(
    waiting.map(({ sample }) => {
      const agents = pools.get(sample.pool) ?? [];
      const countOf = limitCount(agents, placed);
      const reasons = agents.map((entry) => ({
        agentId: entry.agent.agentId,
        reasons: [...vetoes(sample, entry, countOf)],
      }));
      return [sample.configId, reasons] as const;
    }),
  );
}

function limitCount(agents: readonly AgentWithLedger[], placed: ReadonlyMap<string, number>): LimitCount {
  const counts = new Map<string, Map<string, number>>();
  return (attribute, value) => {
    let byValue = counts.get(attribute);
    if (!byValue) {
      byValue = new Map();
      for (const { agent } of agents) {
        for (const held of attributeValues(agent.attributes, attribute)) {
          byValue.set(held, (byValue.get(held) ?? 0) + (placed.get(agent.agentId) ?? 0));
        }
      }
      counts.set(attribute, byValue);
    }
    return byValue.get(value) ?? 0;
  };
}
