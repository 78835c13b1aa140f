// Agents and what is free on them; and for an agent itself, the list of what it should run.
import type { AgentView } from '../../shared/api/views.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { isOnAgent, type TaskState } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import { taskLaunch } from '../launch.ts';
import type { ApiDeps, ResourceHandler } from './context.ts';
import { agentView } from './views.ts';

const defaultLimit = 100;
const agentsAtOnce = 16;

export const listAgents: ResourceHandler<'listAgents'> = async ({ query }, deps) => {
  const { pool, limit = defaultLimit, cursor } = query;
  const page = await deps.store.listAgents(
    { ...(pool !== undefined && { pool }) },
    { limit, ...(cursor !== undefined && { cursor }) },
  );
  return { agents: await agentViews(page.items, deps), nextCursor: page.next ?? null };
};

export const getAgent: ResourceHandler<'getAgent'> = async ({ params }, deps) => {
  const [view] = await agentViews([await knownAgent(params.agentId, deps)], deps);
  if (view) return view;
  throw new BorealisError('INTERNAL', `agent ${params.agentId} cannot be shown`);
};

async function agentViews(entries: readonly AgentWithLedger[], deps: ApiDeps): Promise<AgentView[]> {
  const [seen, tasks] = await Promise.all([
    deps.store.lastSeen(entries.map(({ agent }) => agent.agentId)),
    mapLimit(entries, agentsAtOnce, async ({ agent, ledger }) =>
      ledger.live.length === 0 ? [] : deps.store.listOnAgent(agent.agentId),
    ),
  ]);
  return entries.map((entry, index) => agentView(entry, tasks[index] ?? [], seen.get(entry.agent.agentId)));
}

/** States in which an agent should be running the task; in the other on-agent states it should be ending it. */
const wanted: readonly TaskState[] = ['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'];

export const desiredTasks: ResourceHandler<'desiredTasks'> = async ({ params }, deps) => {
  const { agentId } = params;
  await knownAgent(agentId, deps);
  const asOf = deps.clock();
  const tasks = (await deps.store.listOnAgent(agentId)).filter(
    (task) => isOnAgent(task.state) && task.agentId === agentId,
  );
  await deps.configs.load(tasks.map((task) => ({ key: task, configId: task.configId })));
  const launches = await Promise.all(
    tasks.map(async (task) => {
      const config = await deps.configs.get(task, task.configId);
      const launch = taskLaunch(task, config, deps.cluster);
      return { state: task.state, run: wanted.includes(task.state), launch };
    }),
  );
  return { agentId, asOf, tasks: launches };
};

/** An agent that is not known gets no list: an empty one would tell it to end what it runs (design D9). */
async function knownAgent(agentId: string, deps: ApiDeps): Promise<AgentWithLedger> {
  const entry = await deps.store.getAgent(agentId);
  if (entry) return entry;
  throw new BorealisError(
    'NOT_FOUND',
    `agent ${agentId} has not registered; GET /agents lists those that have`,
  );
}
