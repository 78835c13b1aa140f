// The roster as one row: a packed list, so that tens of thousands of agents fit into the 400 KB of an item and a
// rewrite costs little. An agent takes about 6 bytes packed if ids are regular, about 25 if they are random.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Roster, RosterEntry } from '../../model/roster.ts';
import { rosterKey } from '../keys.ts';
import { numberOf, type Row, unreadable } from './row.ts';

type PackedEntry = readonly [
  agentId: string,
  silentMs: number,
  /** -1 = it did not say. */
  tasks: number,
  lostAt?: number,
  isSettled?: 1,
];
interface Packed {
  readonly trustedSince: number;
  readonly censusAt: number;
  readonly steadySince?: number;
  readonly hold?: Roster['hold'];
  readonly agents: readonly PackedEntry[];
}

export function encodeRoster(roster: Roster): Row {
  const { trustedSince, steadySince, censusAt, hold, calledAt } = roster;
  const agents = [...roster.agents].map(([agentId, entry]) => packEntry(agentId, entry, calledAt));
  const packed: Packed = {
    trustedSince,
    censusAt,
    ...(steadySince !== undefined && { steadySince }),
    ...(hold && { hold }),
    agents,
  };
  return { ...rosterKey, v: roster.version, at: calledAt, z: deflateRawSync(JSON.stringify(packed)) };
}

function packEntry(agentId: string, entry: RosterEntry, calledAt: number): PackedEntry {
  const { seenAt, tasks = -1, lostAt, isSettled } = entry;
  const head = [agentId, calledAt - seenAt, tasks] as const;
  if (lostAt === undefined) return head;
  return isSettled ? [...head, lostAt, 1] : [...head, lostAt];
}

export function decodeRoster(row: Row): Roster {
  const calledAt = numberOf(row, 'at', 'roster');
  let packed: Packed;
  try {
    packed = JSON.parse(inflateRawSync(row.z as Uint8Array).toString()) as Packed;
  } catch (cause) {
    throw unreadable('roster', row, cause);
  }
  const { trustedSince, steadySince, censusAt, hold, agents } = packed;
  return {
    version: numberOf(row, 'v', 'roster'),
    calledAt,
    trustedSince,
    ...(steadySince !== undefined && { steadySince }),
    censusAt,
    ...(hold && { hold }),
    agents: new Map(agents.map((entry) => unpackEntry(entry, calledAt))),
  };
}

function unpackEntry(packed: PackedEntry, calledAt: number): [string, RosterEntry] {
  const [agentId, silentMs, tasks, lostAt, isSettled] = packed;
  const entry: RosterEntry = {
    seenAt: calledAt - silentMs,
    ...(tasks >= 0 && { tasks }),
    ...(lostAt !== undefined && { lostAt }),
    ...(isSettled === 1 && { isSettled: true }),
  };
  return [agentId, entry];
}
