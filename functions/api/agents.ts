// Agents and what is free on them; and for an agent itself, the list of what it should run.
import type { AgentView } from '../../shared/api/views.ts';
import { checkIdentity, type IdentityQuestion } from '../../shared/domain/agent/identity.ts';
import { defaultSilentAfterMs, presenceOf } from '../../shared/domain/agent/presence.ts';
import { BorealisError, isBorealisError } from '../../shared/lib/errors.ts';
import type { Agent } from '../../shared/model/agent.ts';
import type { DesiredPage } from '../../shared/model/protocol.ts';
import type { Hold, Roster } from '../../shared/model/roster.ts';
import { isOnAgent, type Task, type TaskState } from '../../shared/model/task.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import { taskAddress } from '../launch.ts';
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
    ...(hold && { hold: holdView(hold) }),
    nextCursor: page.next ?? null,
  };
};

function holdView({ reason, since, silent, agents }: Hold) {
  return { reason, since: isoTime(since), silent, agents };
}

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
/** A Lambda function answers at most 6 MB; the rest of a long list is another page. */
const maxPageBytes = 4_000_000;

export const desiredTasks: ResourceHandler<'desiredTasks'> = async ({ params, query, principal }, deps) => {
  const { agentId } = params;
  const entry = await deps.store.getAgent(agentId);
  checkCaller({ agentId, caller: principal, owner: entry?.agent.principal, mode: deps.identity });
  if (!entry) throw unknownAgent(agentId);
  checkSession(entry.agent, query.session);
  const asOf = deps.clock();
  const { after = '' } = query;
  const tasks = (await deps.store.listOnAgent(agentId))
    .filter((task) => isOnAgent(task.state) && task.agentId === agentId && task.taskId > after)
    .sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
  await deps.configs.load(tasks.map((task) => ({ key: task, configId: task.configId })));
  const page = await firstPage(tasks, deps);
  return { agentId, asOf, ...(query.session === undefined ? selfContained(page) : page) };
};

/** Every launch with its config, as agents before 0.2 read it; they name no session. */
function selfContained(page: LevelPage): LevelPage {
  const tasks = page.tasks.map(({ launch, ...rest }) => {
    const config = page.configs[launch.configId];
    return { ...rest, launch: config ? { ...launch, config } : launch };
  });
  return { ...page, tasks };
}

type LevelPage = Pick<DesiredPage, 'tasks' | 'configs' | 'next'>;

/** As many tasks as fit, with the configs they need. */
async function firstPage(tasks: readonly Task[], deps: ApiDeps): Promise<LevelPage> {
  const page: DesiredPage['tasks'] = [];
  const configs: DesiredPage['configs'] = {};
  let bytes = 0;
  for (const task of tasks) {
    const { configId } = task;
    const config = configs[configId] ? undefined : await configOf(task, deps);
    const launch = { ...taskAddress(task, deps.cluster), configId };
    const listed = { state: task.state, run: wanted.includes(task.state), launch };
    bytes +=
      Buffer.byteLength(JSON.stringify(listed)) + (config ? Buffer.byteLength(JSON.stringify(config)) : 0);
    if (bytes > maxPageBytes && page.length > 0)
      return { tasks: page, configs, next: page.at(-1)?.launch.taskId ?? null };
    page.push(listed);
    if (config) configs[configId] = config;
  }
  return { tasks: page, configs, next: null };
}

/** One config that is gone must not keep an agent from all its other tasks. */
async function configOf(task: Task, { configs, log }: ApiDeps): Promise<TaskConfig | undefined> {
  try {
    return await configs.get(task, task.configId);
  } catch (error) {
    if (!isBorealisError(error, 'NOT_FOUND')) throw error;
    log.error('a task has no config; its agent can not start it', { taskId: task.taskId });
    return undefined;
  }
}

/** A process that another one has followed gets nothing; one that is not known yet has to register first. */
function checkSession({ agentId, sessionId, pastSessions = [] }: Agent, session: string | undefined): void {
  if (session === undefined || session === sessionId) return;
  if (!pastSessions.includes(session)) throw unknownAgent(agentId);
  throw new BorealisError(
    'CONFLICT',
    `another process registered as agent ${agentId} after this one; give each machine its own agent id`,
  );
}

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
