// The roll call: who was heard, who is silent, who is lost and who is back (design D9). Pure.
//
//   heard ---- 60 s ---- silent: offered no tasks ---- 90 s ---- lost: its tasks follow their partition policy
//
// Silence is only evidence while the way the heartbeats take is known to work, and a mass disappearance is never believed
// at once: mass.ts says who is held, and until when.
import type { Roster, RosterEntry } from '../../model/roster.ts';
import { isMostHeard, judgeSilent, type MassSettings, silentOf } from './mass.ts';

export interface RollCallSettings extends MassSettings {
  /** A roll call that begins later than this after the one before is late. */
  readonly lateAfterMs: number;
}

export const defaultRollCall: RollCallSettings = {
  lostAfterMs: 90_000,
  massShare: 0.25,
  massWindowMs: 5 * 60_000,
  massPatienceMs: 15 * 60_000,
  lateAfterMs: 150_000,
};

/** A heartbeat. */
export interface Heard {
  readonly agentId: string;
  /** When the queue took it, epoch ms: the control plane's clock, whatever the agent's says. */
  readonly sentAt: number;
  readonly tasks?: number;
}

/** What an agent's row says, for the comparison of roster and rows. */
export interface Registered {
  readonly agentId: string;
  /** When its present session registered, epoch ms. */
  readonly sessionAt: number;
  readonly lostAt?: number;
}

export interface RollCall {
  /** When the queue began to be emptied, epoch ms. */
  readonly now: number;
  readonly heard: readonly Heard[];
  /** The queue was emptied and held everything that is known to have been sent. */
  readonly isComplete: boolean;
  /** Every agent row, when it is time to compare; absent otherwise. */
  readonly registered?: readonly Registered[];
}

export interface RollCallResult {
  /** To be stored under the version of the roster it was made from. */
  readonly roster: Roster;
  readonly newlyLost: readonly string[];
  /** Lost, and heard again. */
  readonly back: readonly string[];
}

/** Works out the next roster. `roster` undefined: there is none yet, or it was lost. */
export function callRoll(
  roster: Roster | undefined,
  call: RollCall,
  settings: RollCallSettings,
): RollCallResult {
  const { now } = call;
  const entries = new Map(roster?.agents ?? []);
  if (call.registered) compare(entries, call.registered, roster === undefined ? now : undefined);
  hear(entries, call.heard);
  const isInTime = roster !== undefined && now - roster.calledAt <= settings.lateAfterMs;
  const trustedSince = isInTime && call.isComplete ? roster.trustedSince : now;
  const silent = silentOf(entries, now, settings);
  const isSteady = roster !== undefined && trustedSince < now && isMostHeard(entries, silent.length);
  const steadySince = isSteady ? Math.max(trustedSince, roster.steadySince ?? now) : now;
  const evidence = { now, trustedSince, steadySince, before: roster?.hold };
  const { hold, newlyLost } = judgeSilent(entries, silent, evidence, settings);
  for (const agentId of newlyLost) entries.set(agentId, lose(entries.get(agentId) as RosterEntry, now));
  const back = [...entries]
    .filter(([, { seenAt, lostAt }]) => lostAt !== undefined && now - seenAt < settings.lostAfterMs)
    .map(([agentId]) => agentId);
  // Should it fall silent before this is carried out, its loss is to be carried out anew.
  for (const agentId of back) {
    const { isSettled: _settled, ...entry } = entries.get(agentId) as RosterEntry;
    entries.set(agentId, entry);
  }
  const next: Roster = {
    version: (roster?.version ?? 0) + 1,
    calledAt: now,
    trustedSince,
    steadySince,
    censusAt: call.registered ? now : (roster?.censusAt ?? 0),
    ...(hold && { hold }),
    agents: entries,
  };
  return { roster: next, newlyLost, back };
}

function lose(entry: RosterEntry, now: number): RosterEntry {
  const { isSettled: _before, ...rest } = entry;
  return { ...rest, lostAt: now };
}

/**
 * Agents without a row leave, rows without an entry enter. One that never sent a heartbeat was last heard when it
 * registered; if the whole roster is gone, everybody counts as heard at `heardAt`.
 */
function compare(
  entries: Map<string, RosterEntry>,
  registered: readonly Registered[],
  heardAt: number | undefined,
): void {
  const known = new Set(registered.map(({ agentId }) => agentId));
  for (const agentId of entries.keys()) if (!known.has(agentId)) entries.delete(agentId);
  for (const { agentId, sessionAt, lostAt } of registered) {
    const entry = entries.get(agentId) ?? {
      seenAt: lostAt === undefined ? (heardAt ?? sessionAt) : sessionAt,
    };
    const { lostAt: _noted, ...rest } = entry;
    // The row is the truth; an entry that says more is on its way into the row.
    if (lostAt !== undefined) entries.set(agentId, { ...rest, lostAt });
    else entries.set(agentId, entry);
  }
}

function hear(entries: Map<string, RosterEntry>, heard: readonly Heard[]): void {
  for (const { agentId, sentAt, tasks } of heard) {
    const entry = entries.get(agentId);
    if (entry && entry.seenAt >= sentAt) continue;
    const { tasks: _before, ...rest } = entry ?? {};
    entries.set(agentId, { ...rest, seenAt: sentAt, ...(tasks !== undefined && { tasks }) });
  }
}
