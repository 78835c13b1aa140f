// Is an agent there? What the matcher, the API and the UI make of the roster and of the agent's own row.
import type { Agent } from '../../model/agent.ts';
import type { Presence, Roster } from '../../model/roster.ts';

export interface PresenceFacts {
  readonly presence: Presence;
  /** Epoch ms; its last heartbeat or registration, whichever is later. */
  readonly lastSeenAt: number;
}

/**
 * Silence is measured up to the last roll call, not to now: between roll calls nobody is heard, and if they stop,
 * nobody must look silent for it. While silence is no evidence (a hold) nobody is silent; but if most of the fleet is heard
 * and only some are held, these get no tasks.
 */
export function presenceOf(
  agent: Pick<Agent, 'agentId' | 'registeredAt' | 'sessionAt' | 'lostAt'>,
  roster: Roster | undefined,
  silentAfterMs: number,
): PresenceFacts {
  const entry = roster?.agents.get(agent.agentId);
  const lastSeenAt = Math.max(entry?.seenAt ?? 0, agent.sessionAt ?? agent.registeredAt);
  if (agent.lostAt !== undefined || entry?.lostAt !== undefined) return { presence: 'lost', lastSeenAt };
  const { hold } = roster ?? {};
  const isHeld = hold !== undefined && (hold.reason === 'LATE' || 2 * hold.silent >= hold.agents);
  const isSilent = roster !== undefined && !isHeld && roster.calledAt - lastSeenAt > silentAfterMs;
  return { presence: isSilent ? 'silent' : 'present', lastSeenAt };
}

/** Two heartbeats and a half at the agents' default interval. */
export const defaultSilentAfterMs = 60_000;
