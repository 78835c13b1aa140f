// Agents and what is free on them; and for an agent itself, the list of what it should run.
import type { AgentView } from '../../shared/api/views.ts';
import { checkIdentity, type IdentityQuestion } from '../../shared/domain/agent/identity.ts';
import { defaultSilentAfterMs, presenceOf } from '../../shared/domain/agent/presence.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Roster } from '../../shared/model/roster.ts';
import { isOnAgent, type TaskState } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import { taskLaunch } from '../launch.ts';
import type { ApiDeps, ResourceHandler } from './context.ts';
import { agentView, isoTime } from './views.ts';

const defaultLimit = 100;
const agentsAtOnce = 16;

export const listAgents: ResourceHandler<'listAgents'> = async ({ query }, deps) => {
  const { pool, limit = defaultLimit, cursor } = query;
  const page = await deps.store.listAgents(
    { ...(pool !== undefined && { pool }) },
    { limit, ...(cursor !== undefined && { cursor }) },
  );
  const roster = await deps.store.getRoster();
  const hold = roster?.hold;
  return {
    agents: await agentViews(page.items, roster, deps),
    ...(hold && { hold: { ...hold, since: isoTime(hold.since) } }),
    nextCursor: page.next ?? null,
  };
};

export const getAgent: ResourceHandler<'getAgent'> = async ({ params }, deps) =>
  oneAgentView(await knownAgent(params.agentId, deps), deps);

/** An agent with its tasks and when it was last seen. */
export async function oneAgentView(entry: AgentWithLedger, deps: ApiDeps): Promise<AgentView> {
  const [view] = await agentViews([entry], await deps.store.getRoster(), deps);
  if (view) return view;
  throw new BorealisError('INTERNAL', `agent ${entry.agent.agentId} cannot be shown`);
}

async function agentViews(
  entries: readonly AgentWithLedger[],
  roster: Roster | undefined,
  deps: ApiDeps,
): Promise<AgentView[]> {
  return mapLimit(entries, agentsAtOnce, async (entry) => {
    const { agent, ledger } = entry;
    const tasks = ledger.live.length === 0 ? [] : await deps.store.listOnAgent(agent.agentId);
    return agentView(entry, tasks, presenceOf(agent, roster, deps.silentAfterMs ?? defaultSilentAfterMs));
  });
}

/** States in which an agent should be running the task; in the other on-agent states it should be ending it. */
const wanted: readonly TaskState[] = ['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'];

/** Only for the agent itself: the launches hold whole configs, and an agent ends what its level does not name. */
export const desiredTasks: ResourceHandler<'desiredTasks'> = async ({ params, principal }, deps) => {
  const { agentId } = params;
  const entry = await deps.store.getAgent(agentId);
  checkCaller({ agentId, caller: principal, owner: entry?.agent.principal, mode: deps.identity });
  if (!entry) throw unknownAgent(agentId);
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

export const rebindAgent: ResourceHandler<'rebindAgent'> = async ({ params, body, user }, deps) => {
  const { agentId } = params;
  const { kind } = await deps.store.bindAgent(agentId, body.principal);
  if (kind === 'unknown') throw unknownAgent(agentId);
  deps.log.warn('an agent id was handed over', {
    agentId,
    to: body.principal ?? 'whoever registers next',
    by: user,
  });
  return getAgent({ params, body: undefined, query: {}, headers: {}, user, principal: undefined }, deps);
};

/** An agent without an owner has to register (again) before it is told anything. */
function checkCaller(question: IdentityQuestion): void {
  const verdict = checkIdentity(question);
  if (verdict.kind === 'refused') {
    throw new BorealisError('FORBIDDEN', `${verdict.why}. Nothing was changed.`);
  }
  if (verdict.kind === 'free') throw unknownAgent(question.agentId);
}

/** An agent that is not known gets no list: an empty one would tell it to end what it runs (design D9). */
export async function knownAgent(agentId: string, deps: ApiDeps): Promise<AgentWithLedger> {
  const entry = await deps.store.getAgent(agentId);
  if (entry) return entry;
  throw unknownAgent(agentId);
}

export function unknownAgent(agentId: string): BorealisError {
  return new BorealisError(
    'NOT_FOUND',
    `agent ${agentId} has not registered; GET /agents lists those that have`,
  );
}
