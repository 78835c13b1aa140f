// Carries out what a roll call decided: the agent's row, then its tasks. Level-triggered: every roll call goes on with
// whatever is not settled, so a crash or a lost race only costs a minute.
import { changeOfLost } from '../../shared/domain/agent/lost-tasks.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import type { RosterEntry } from '../../shared/model/roster.ts';
import type { Task } from '../../shared/model/task.ts';
import type { PartitionPolicy } from '../../shared/model/task-config.ts';
import type { Store } from '../../shared/store/port.ts';
import type { ConfigCache } from '../launch.ts';
import type { MetricPort } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import type { TransitionDeps } from '../transition-deps.ts';

export interface SettleDeps extends TransitionDeps {
  readonly store: Pick<Store, 'getAgent' | 'setAgentLost' | 'listOnAgent' | 'transitionAll'>;
  readonly configs: ConfigCache;
  readonly meter: MetricPort;
}

/** The index of tasks by agent may lag: a loss is settled once nothing is left to do this long after it, ms. */
const settleAfterMs = 30_000;

/** The entry as it becomes; undefined if there is no such agent (any more). */
export async function settleLost(
  agentId: string,
  entry: RosterEntry,
  deps: SettleDeps,
): Promise<RosterEntry | undefined> {
  const stored = await deps.store.getAgent(agentId);
  if (!stored || entry.lostAt === undefined) return undefined;
  if (stored.agent.lostAt === undefined) {
    const { kind } = await deps.store.setAgentLost(stored, entry.lostAt);
    if (kind === 'conflict') return entry;
    deps.meter.count('AgentsLost', 1);
    deps.log.warn('an agent is lost', { agentId, lastSeenAt: entry.seenAt });
  }
  const left = await endTasks(agentId, deps);
  const isSettled = left === 0 && deps.clock() - entry.lostAt >= settleAfterMs;
  return isSettled ? { ...entry, isSettled } : entry;
}

/** How many tasks needed something. */
async function endTasks(agentId: string, deps: SettleDeps): Promise<number> {
  const tasks = await deps.store.listOnAgent(agentId, tellAside(deps.log));
  await deps.configs.load(tasks.map((task) => ({ key: task, configId: task.configId })));
  const { timeouts, flapping } = deps;
  const now = deps.clock();
  const changes = await Promise.all(
    tasks.map(async (task) =>
      changeOfLost(task, await policyOf(task, deps), { now, timeouts, flapping }, deps),
    ),
  );
  const writes = changes.filter((change) => change !== undefined);
  if (writes.length > 0) await deps.store.transitionAll(writes);
  return writes.length;
}

async function policyOf(task: Task, { configs, log }: SettleDeps): Promise<PartitionPolicy | undefined> {
  try {
    return (await configs.get(task, task.configId)).partitionPolicy;
  } catch (error) {
    if (!isBorealisError(error, 'NOT_FOUND')) throw error;
    log.error('a task has no config; it is treated as one without a partition policy', {
      taskId: task.taskId,
    });
    return undefined;
  }
}

/**
 * An agent that was lost is back. It gets tasks again only once it says that it has no more of them than it should:
 * until then it still ends those that were replaced meanwhile, and its ledger shows room that it has not.
 */
export async function settleBack(
  agentId: string,
  entry: RosterEntry,
  deps: SettleDeps,
): Promise<RosterEntry | undefined> {
  const stored = await deps.store.getAgent(agentId);
  if (!stored) return undefined;
  let unread = 0;
  const wanted = await deps.store.listOnAgent(agentId, () => unread++);
  if ((entry.tasks ?? 0) > wanted.length + unread) {
    deps.log.info('an agent is back and still ends tasks that were replaced', {
      agentId,
      tasks: entry.tasks,
    });
    return entry;
  }
  if (stored.agent.lostAt !== undefined) {
    const { kind } = await deps.store.setAgentLost(stored, undefined);
    if (kind === 'conflict') return entry;
    deps.meter.count('AgentsReturned', 1);
    deps.log.info('an agent is back', { agentId, lostAt: stored.agent.lostAt });
  }
  const { lostAt: _lostAt, isSettled: _settled, ...present } = entry;
  return present;
}
