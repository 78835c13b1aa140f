// Empty an agent, take it back into use, and see how far that is. The writes change the agent's row only.
import { jobsToCount, planDrain } from '../../shared/domain/drain/plan-drain.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { defaultAvailability } from '../../shared/model/agent.ts';
import type { AgentWithLedger } from '../../shared/store/port.ts';
import { drainingAgent, readJobs } from '../drainer/read-drains.ts';
import { changeAgentMode, endDrain, replaceDrain } from '../request-drain.ts';
import { knownAgent, oneAgentView, unknownAgent } from './agents.ts';
import type { ResourceHandler } from './context.ts';
import { drainView } from './views.ts';

const defaultDeadlineSecs = 3600;

export const drainAgent: ResourceHandler<'drainAgent'> = async ({ params, body, user }, deps) => {
  const now = deps.clock();
  const drain = {
    requestedAt: now,
    deadlineAt: now + (body.deadlineSecs ?? defaultDeadlineSecs) * 1000,
    percentage: body.percentage ?? defaultAvailability.percentage,
    settledSecs: body.settledSecs ?? defaultAvailability.settledSecs,
    reason: body.reason ?? '',
    requestedBy: user,
  };
  const entry = await changeAgentMode(params.agentId, replaceDrain(drain), deps);
  deps.log.info('drain requested', { agentId: params.agentId, ...drain });
  return answer(params.agentId, entry, deps);
};

export const undrainAgent: ResourceHandler<'undrainAgent'> = async ({ params, user }, deps) => {
  const entry = await changeAgentMode(params.agentId, endDrain, deps);
  deps.log.info('drain ended', { agentId: params.agentId, by: user });
  return answer(params.agentId, entry, deps);
};

async function answer(
  agentId: string,
  entry: AgentWithLedger | undefined,
  deps: Parameters<typeof oneAgentView>[1],
) {
  if (!entry) throw unknownAgent(agentId);
  return oneAgentView(entry, deps);
}

/** The plan of the next pass as far as it can be known: other drains may use the same budget first. */
export const drainStatus: ResourceHandler<'drainStatus'> = async ({ params }, deps) => {
  const entry = await knownAgent(params.agentId, deps);
  const { agentId, mode, drain } = entry.agent;
  if (mode === 'NONE' || mode === 'SCHEDULED') {
    throw new BorealisError('NOT_FOUND', `agent ${agentId} is in use and not being emptied`);
  }
  const now = deps.clock();
  const agent = await drainingAgent(entry, deps.store);
  const plan = planDrain([agent], await readJobs(jobsToCount([agent], now), deps.store), now);
  const tasks = [
    ...plan.move.map(({ task }) => ({ taskId: task.taskId, state: task.state, hold: null })),
    ...plan.held.map(({ task, hold }) => ({ taskId: task.taskId, state: task.state, hold })),
  ];
  return { agentId, mode, drain: drain ? drainView(drain) : null, tasks };
};
