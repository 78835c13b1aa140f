// Agents that are gone for good: which of those that were lost are forgotten now. Pure. Machines of a fleet that grows
// and shrinks come with a new id each; their rows, queues and places in the roster must not pile up.
//
// Nothing is lost by it: a lost agent that holds nothing of its ledger has no task, and one that comes back after all
// registers as new. But while silence is no evidence nobody is forgotten, and nobody who was just heard.
import type { Agent, Ledger } from '../../model/agent.ts';
import type { Roster } from '../../model/roster.ts';

export interface ForgetSettings {
  /** A lost agent is forgotten after this, ms. */
  readonly forgetAfterMs: number;
  /** Silence after which an agent is lost, ms. */
  readonly lostAfterMs: number;
  /** More lost agents than this are not kept, however short the time: the roster must fit into one row. */
  readonly mostLost: number;
}

/** Room for 14,000 agents in the roster, most of it for those that are there. */
export const defaultMostLost = 4_000;

interface Candidate {
  readonly agentId: string;
  readonly lostAt?: number;
}

/** Those whose time has come, lost longest first. `roster`: what the roll call just made of everything it heard. */
export function dueToForget(
  registered: readonly Candidate[],
  roster: Roster,
  settings: ForgetSettings,
): string[] {
  const { calledAt, trustedSince, hold, agents } = roster;
  if (hold !== undefined || calledAt - trustedSince < settings.lostAfterMs) return [];
  const isSilent = (agentId: string): boolean =>
    calledAt - (agents.get(agentId)?.seenAt ?? 0) >= settings.lostAfterMs;
  const lost = registered
    .flatMap(({ agentId, lostAt }) =>
      lostAt !== undefined && isSilent(agentId) ? [{ agentId, lostAt }] : [],
    )
    .sort((a, b) => a.lostAt - b.lostAt);
  const tooMany = lost.length - settings.mostLost;
  return lost
    .filter(({ lostAt }, index) => calledAt - lostAt >= settings.forgetAfterMs || index < tooMany)
    .map(({ agentId }) => agentId);
}

/** Lost, and no task holds anything of it. */
export function mayBeForgotten({ agent, ledger }: AgentWithBooks): boolean {
  return agent.lostAt !== undefined && ledger.live.length === 0;
}

interface AgentWithBooks {
  readonly agent: Pick<Agent, 'lostAt'>;
  readonly ledger: Pick<Ledger, 'live'>;
}
