// Forget a lost agent at once, instead of a day after its loss. The write is the roll call's; the stream does the rest.
import { defaultSilentAfterMs, presenceOf } from '../../shared/domain/agent/presence.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { maxTries } from '../../shared/store/flow.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import { knownAgent, oneAgentView } from './agents.ts';
import type { ApiDeps, ResourceHandler } from './context.ts';
import { isoTime } from './views.ts';

/** Names of so many tasks are in the answer to a refused request. */
const namedTasks = 5;

/** Answers the agent as it was. */
export const forgetAgent: ResourceHandler<'forgetAgent'> = async ({ params, user }, deps) => {
  const { agentId } = params;
  for (let tries = 0; tries < maxTries; tries++) {
    const entry = await knownAgent(agentId, deps);
    await checkGone(entry, deps);
    const view = await oneAgentView(entry, deps);
    const { kind } = await deps.store.forgetAgent(entry);
    if (kind === 'conflict') continue;
    deps.log.warn('an agent was forgotten', { agentId, lostAt: entry.agent.lostAt, by: user });
    return view;
  }
  throw new BorealisError(
    'CONFLICT',
    `agent ${agentId} is being changed by others at this moment; it is unchanged by this request. Look at it and try again.`,
  );
};

async function checkGone({ agent, ledger }: AgentWithLedger, deps: ApiDeps): Promise<void> {
  const { agentId } = agent;
  if (agent.lostAt === undefined) {
    const { lastSeenAt } = presenceOf(
      agent,
      await deps.store.getRoster(),
      deps.silentAfterMs ?? defaultSilentAfterMs,
    );
    throw new BorealisError(
      'CONFLICT',
      `agent ${agentId} is not lost: it was heard at ${isoTime(lastSeenAt)}. Nothing was changed. Stop its agent process or machine, wait until \`borealis agent list\` shows it as lost, and try again.`,
    );
  }
  if (ledger.live.length === 0) return;
  const tasks = await deps.store.listOnAgent(agentId, () => {});
  const named = tasks.slice(0, namedTasks).map(({ taskId, state }) => `${taskId} (${state})`);
  const more = tasks.length > named.length ? ` and ${tasks.length - named.length} more` : '';
  throw new BorealisError(
    'CONFLICT',
    tasks.length === 0
      ? `the ledger of agent ${agentId} still holds ${ledger.live.length} tasks that have ended; nothing was changed. That is set right by itself: try again in some minutes.`
      : `agent ${agentId} is lost, but tasks wait for its return: ${named.join(', ')}${more}. Nothing was changed. Kill them, or let the delay of their partition policy pass, and try again.`,
  );
}
