// The roster: when each agent was last heard, what the last roll call made of it, and whether its word could be trusted.
// One row in the notes table, rewritten by each roll call; an agent's row in the state table stays the truth about LOST.

/** How often an agent sends a heartbeat, milliseconds. */
export const heartbeatMs = 40_000;

/** `silent`: not heard for a while, gets no tasks. `lost`: declared so, its tasks are dealt with. */
export const presences = ['present', 'silent', 'lost'] as const;
export type Presence = (typeof presences)[number];

/** What is known of one agent's silence. Times are epoch ms by the control plane's clock. */
export interface RosterEntry {
  readonly seenAt: number;
  /** Tasks the agent said it has, ended or not, when it was heard last. */
  readonly tasks?: number;
  /** It was declared lost at this time and has not come back. */
  readonly lostAt?: number;
  /** Everything that follows from its loss has been carried out. */
  readonly isSettled?: boolean;
}

/**
 * Why silent agents are not declared lost: LATE - for a while nobody could have been heard (the roll call, the queue or
 * the store was late or failed); MASS - too many fell silent at once, which more likely is a fault on the way than
 * the death of that many machines.
 */
export const holdReasons = ['LATE', 'MASS'] as const;

export interface Hold {
  readonly reason: (typeof holdReasons)[number];
  readonly since: number;
  /** Agents that would have been declared lost, of how many that were there. */
  readonly silent: number;
  readonly agents: number;
  /** MASS: of those that were heard last then or before (epoch ms); absent in a hold of version 0.1: of all. */
  readonly seenBefore?: number;
}

export interface Roster {
  /** Condition of every write. */
  readonly version: number;
  /** When the last roll call began. */
  readonly calledAt: number;
  /** Since when every roll call was in time and heard everything that had been sent. */
  readonly trustedSince: number;
  /** Since when, besides, more than half of the fleet was heard at each; absent in a roster of version 0.1. */
  readonly steadySince?: number;
  /** When the roster was last compared with the agents' rows. */
  readonly censusAt: number;
  readonly hold?: Hold;
  readonly agents: ReadonlyMap<string, RosterEntry>;
}
