// Asks for an agent to be emptied: a change of its row and nothing else; the stream starts the drainer. Used by the API,
// for agents that say so themselves, and for machines that are about to be terminated.
import { BorealisError } from '../shared/lib/errors.ts';
import type { Agent, Drain } from '../shared/model/agent.ts';
import { maxTries } from '../shared/store/flow.ts';
import type { AgentWithLedger, Store } from '../shared/store/port.ts';

type Deps = { readonly store: Pick<Store, 'getAgent' | 'setAgentMode'> };

/** The agent as it is after the change, or undefined if it is not known. CONFLICT if others keep changing it. */
export async function changeAgentMode(
  agentId: string,
  change: (agent: Agent) => Pick<Agent, 'mode' | 'drain'> | undefined,
  { store }: Deps,
): Promise<AgentWithLedger | undefined> {
  for (let tries = 0; tries < maxTries; tries++) {
    const entry = await store.getAgent(agentId);
    if (!entry) return undefined;
    const next = change(entry.agent);
    if (next === undefined) return entry;
    const { kind } = await store.setAgentMode(entry, next);
    if (kind === 'committed') {
      const { drain: _before, ...rest } = entry.agent;
      return { ...entry, agent: { ...rest, ...next } };
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `agent ${agentId} is being changed by others at this moment; its mode is unchanged by this request. Try again.`,
  );
}

/** A new drain replaces the one before; an agent found empty stays so. */
export function replaceDrain(drain: Drain) {
  return ({ mode }: Agent): Pick<Agent, 'mode' | 'drain'> => ({
    mode: mode === 'DRAINED' ? mode : 'DRAINING',
    drain,
  });
}

/**
 * For requests that come by themselves, and more than once: starts a drain, or brings the deadline of the one under way
 * forward, but never undoes what a person asked for.
 */
export function tightenDrain(drain: Drain) {
  return (agent: Agent): Pick<Agent, 'mode' | 'drain'> | undefined => {
    const before = agent.drain;
    if (before === undefined || (agent.mode !== 'DRAINING' && agent.mode !== 'DRAINED')) {
      return { mode: 'DRAINING', drain };
    }
    if (before.deadlineAt <= drain.deadlineAt) return undefined;
    return { mode: agent.mode, drain: { ...before, deadlineAt: drain.deadlineAt, reason: drain.reason } };
  };
}

/** Ends a drain, also one that is complete: the agent is in use again. */
export function endDrain({ mode }: Agent): Pick<Agent, 'mode' | 'drain'> | undefined {
  return mode === 'NONE' ? undefined : { mode: 'NONE' };
}
