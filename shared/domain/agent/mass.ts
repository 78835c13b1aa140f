// Which of the silent are lost, and which are not for now: the guard against a mass disappearance (design D9, ADR 0019). Pure.
//
//   LATE   unless every roll call of the last 90 s came in time and emptied the queue, nobody is lost: nobody could be heard
//   MASS   if, with those lost lately, more than a set share of the fleet fell silent within a few minutes, nobody of them is lost
//
// Those of a mass are held, not the whole fleet: who falls silent later is judged for himself. They are free when they are heard
// again. Or, should they be gone for good, when for a long while most of the fleet has been heard at every roll call,
// which says that the way works and the fault is theirs; and then a share at a time, those that were silent for longest
// first. While half of the fleet or more is silent, only a person can say what is true.
import type { Hold, RosterEntry } from '../../model/roster.ts';

export interface MassSettings {
  /** Silence after which an agent is lost, ms. */
  readonly lostAfterMs: number;
  /** Share of the fleet (0..1) that may be lost within `massWindowMs`; one agent always may. */
  readonly massShare: number;
  readonly massWindowMs: number;
  /** For so long most of the fleet must have been heard before agents that fell silent together are lost after all. */
  readonly massPatienceMs: number;
}

export interface Evidence {
  readonly now: number;
  /** Since when every roll call was in time and heard everything that had been sent. */
  readonly trustedSince: number;
  /** Since when, besides, more than half of the fleet was heard at each. */
  readonly steadySince: number;
  readonly before: Hold | undefined;
}

export interface Verdict {
  readonly hold?: Hold;
  readonly newlyLost: readonly string[];
}

type Silent = readonly (readonly [agentId: string, entry: RosterEntry])[];

/** Agents that are not lost and were not heard for so long that they would be. */
export function silentOf(
  entries: ReadonlyMap<string, RosterEntry>,
  now: number,
  { lostAfterMs }: MassSettings,
): Silent {
  return [...entries].filter(([, { seenAt, lostAt }]) => lostAt === undefined && now - seenAt >= lostAfterMs);
}

/** Is more than half of what is not lost heard? */
export function isMostHeard(entries: ReadonlyMap<string, RosterEntry>, silent: number): boolean {
  const there = [...entries.values()].filter(({ lostAt }) => lostAt === undefined).length;
  return 2 * (there - silent) > there;
}

export function judgeSilent(
  entries: ReadonlyMap<string, RosterEntry>,
  silent: Silent,
  evidence: Evidence,
  settings: MassSettings,
): Verdict {
  const { now, trustedSince, before } = evidence;
  if (silent.length === 0) return { newlyLost: [] };
  const all = [...entries.values()];
  const lost = all.filter(({ lostAt }) => lostAt !== undefined);
  const recent = lost.filter(({ lostAt = 0 }) => now - lostAt < settings.massWindowMs).length;
  const agents = all.length - lost.length + recent;
  const hold = (reason: Hold['reason'], of: Silent): Hold => ({
    reason,
    since: before?.reason === reason ? before.since : now,
    silent: of.length,
    agents,
    ...(reason === 'MASS' && { seenBefore: Math.max(...of.map(([, { seenAt }]) => seenAt)) }),
  });
  if (now - trustedSince < settings.lostAfterMs) return { hold: hold('LATE', silent), newlyLost: [] };
  const mayBeLost = Math.max(1, Math.floor(agents * settings.massShare)) - recent;
  if (silent.length <= mayBeLost) return { newlyLost: silent.map(([agentId]) => agentId) };
  // Of a hold that does not say whom it is of, all.
  const { seenBefore = Number.POSITIVE_INFINITY } = before?.reason === 'MASS' ? before : { seenBefore: 0 };
  const held = silent.filter(([, { seenAt }]) => seenAt <= seenBefore);
  const fresh = silent.filter(([, { seenAt }]) => seenAt > seenBefore);
  // What was silent while nobody could be heard is news since then.
  const lately = held.filter(([, { seenAt }]) => {
    return now - Math.max(seenAt, trustedSince) < settings.lostAfterMs + settings.massWindowMs;
  });
  if (fresh.length + lately.length > mayBeLost) return { hold: hold('MASS', silent), newlyLost: [] };
  const free = freeOf(held, mayBeLost - fresh.length, evidence, settings);
  const stay = held.filter((one) => !free.includes(one));
  const newlyLost = [...fresh, ...free].map(([agentId]) => agentId);
  return { newlyLost, ...(stay.length > 0 && { hold: hold('MASS', stay) }) };
}

/** Those of the held that are gone for good, as far as anybody can tell. */
function freeOf(
  held: Silent,
  most: number,
  { now, steadySince }: Evidence,
  { massPatienceMs }: MassSettings,
): Silent {
  if (now - steadySince < massPatienceMs) return [];
  return held
    .filter(([, { seenAt }]) => now - seenAt >= massPatienceMs)
    .toSorted(([, one], [, other]) => one.seenAt - other.seenAt)
    .slice(0, most);
}
