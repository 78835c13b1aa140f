// The roll call, every minute: hears all heartbeats since the last one, notes them in one row, declares lost who was
// silent for too long (unless silence is no evidence now), takes back who is heard again, forgets who is gone for good.
//
//   drain the queue -> decide -> store the roster -> remove the messages -> send a probe -> settle -> store what is settled
//   -> forget
//
// Messages go only once the roster has them. The probe goes through the same queue as the heartbeats: if the next roll
// call doesn't find it, the queue is late or loses messages, and nobody's silence counts.
import {
  callRoll,
  type Registered,
  type RollCall,
  type RollCallResult,
  type RollCallSettings,
} from '../../shared/domain/agent/roll-call.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Agent } from '../../shared/model/agent.ts';
import type { Roster, RosterEntry } from '../../shared/model/roster.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';
import { believed, type SenderDeps } from '../agent-events/check-senders.ts';
import type { HeartbeatQueue } from '../clients/heartbeat-queue.ts';
import { probeMessage } from '../messages.ts';
import type { MessagePort, RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import { drainHeartbeats } from './drain.ts';
import { dropOrphans, type ForgetDeps, forgetAgents, isQueueLookDue } from './forget.ts';
import { type SettleDeps, settleBack, settleLost } from './settle.ts';

export interface RollCallDeps extends SettleDeps, SenderDeps, ForgetDeps {
  readonly store: SettleDeps['store'] &
    SenderDeps['store'] &
    ForgetDeps['store'] &
    Pick<Store, 'getRoster' | 'putRoster' | 'listRegistered'>;
  readonly queue: HeartbeatQueue;
  readonly messages: MessagePort;
  readonly queueUrl: string;
  readonly settings: RollCallSettings;
}

export interface RollCallReport {
  readonly heard: number;
  readonly agents: number;
  readonly newlyLost: number;
  readonly back: number;
  /** Silent agents that are not declared lost because silence is no evidence now. */
  readonly held: number;
  /** Agents whose loss or return is not wholly carried out. */
  readonly unsettled: number;
  /** Agents that were lost for so long that they are gone for good. */
  readonly forgotten: number;
}

const nobody: RollCallReport = {
  heard: 0,
  agents: 0,
  newlyLost: 0,
  back: 0,
  held: 0,
  unsettled: 0,
  forgotten: 0,
};

/** Kept for storing the roster and for settling. */
const reserveMs = 25_000;
const stopSettlingMs = 5_000;
/** Before the owners read last are forgotten (ownerMemoryMs), which would cost one read an agent. */
const censusEveryMs = 4 * 60_000;
const censusPage = 500;
const settledAtOnce = 8;
const tries = 3;

/** Throws if the queue or the store does; the messages then come again. */
export async function rollCall(remainingMs: RemainingTime, deps: RollCallDeps): Promise<RollCallReport> {
  const now = deps.clock();
  const roster = await deps.store.getRoster({ isConsistent: true });
  // A cluster without agents has nobody to hear: waiting for an empty queue would be most of what it costs.
  if (roster?.agents.size === 0 && (await isNobodyThere(deps))) return nobody;
  const drained = await drainHeartbeats(deps.queue, { startedAt: now, remainingMs, reserveMs }, deps);
  // After the queue, whose heartbeats would become too many if its time went to anything else.
  const registered = isCensusDue(now, roster, deps) ? await takeCensus(now, deps) : undefined;
  const undecided = new Set<string>();
  const heartbeats = await believed(drained.heard, undecided, deps);
  const heard = heartbeats.map(({ report: { agentId, tasks }, sentAt }) => {
    return { agentId, sentAt, ...(tasks !== undefined && { tasks }) };
  });
  const isEmpty = drained.isEmpty && undecided.size === 0;
  const result = await decide(roster, { now, heard, isEmpty, probes: drained.probes, registered }, deps);
  await deps.queue.remove(drained.receipts.filter((receipt) => !undecided.has(receipt)));
  await deps.messages.send(deps.queueUrl, [probeMessage(now)]);
  if (roster) tellIfIncomplete(result, { isEmpty, probes: drained.probes, before: roster }, deps);
  tell(result, deps);
  const unsettled = await settle(result, remainingMs, deps);
  const forgotten = registered ? await forgetGone(registered, roster, result.roster, remainingMs, deps) : 0;
  const { newlyLost, back } = result;
  const report: RollCallReport = {
    heard: heard.length,
    agents: result.roster.agents.size,
    newlyLost: newlyLost.length,
    back: back.length,
    held: result.roster.hold?.silent ?? 0,
    unsettled,
    forgotten,
  };
  deps.log.info('roll called', { ...report });
  return report;
}

async function isNobodyThere({ store, log }: RollCallDeps): Promise<boolean> {
  const { items, next } = await store.listRegistered({ limit: 1 }, tellAside(log));
  return items.length === 0 && next === undefined;
}

/** Every few minutes, and at first in a process that must know whose heartbeats to believe. */
function isCensusDue(now: number, roster: Roster | undefined, deps: RollCallDeps): boolean {
  const { identity, owners, forget } = deps;
  if (roster === undefined || roster.agents.size === 0) return true;
  if (now - roster.censusAt >= Math.min(censusEveryMs, forget.forgetAfterMs)) return true;
  return identity !== 'none' && owners.size === 0;
}

/** Reads every agent's row; so their owners need not be read one by one. */
async function takeCensus(now: number, deps: RollCallDeps): Promise<Registered[]> {
  const agents = await allAgents(deps);
  for (const { agentId, principal } of agents) {
    if (principal !== undefined) deps.owners.set(agentId, { owner: principal, readAt: now });
  }
  return agents.map(({ agentId, registeredAt, sessionAt = registeredAt, lostAt }) => {
    return { agentId, sessionAt, ...(lostAt !== undefined && { lostAt }) };
  });
}

/** Their places in the roster go with the next census. */
async function forgetGone(
  registered: readonly Registered[],
  before: Roster | undefined,
  roster: Roster,
  remainingMs: RemainingTime,
  deps: RollCallDeps,
): Promise<number> {
  const forgotten = await forgetAgents(registered, roster, remainingMs, deps);
  if (isQueueLookDue(roster.calledAt, before?.censusAt ?? roster.calledAt)) {
    await dropOrphans(new Set(registered.map(({ agentId }) => agentId)), remainingMs, deps);
  }
  return forgotten;
}

interface Findings extends Pick<RollCall, 'now' | 'heard'> {
  readonly isEmpty: boolean;
  readonly probes: ReadonlySet<number>;
  readonly registered: readonly Registered[] | undefined;
}

/** Decides on the roster as read and stores the outcome; again if another roll call was first. */
async function decide(
  read: Roster | undefined,
  { now, heard, isEmpty, probes, registered }: Findings,
  deps: RollCallDeps,
): Promise<RollCallResult> {
  let roster = read;
  for (let attempt = 0; attempt < tries; attempt++) {
    const isComplete = isEmpty && roster !== undefined && probes.has(roster.calledAt);
    const call = { now, heard, isComplete, ...(registered && { registered }) };
    const result = callRoll(roster, call, deps.settings);
    const { kind } = await deps.store.putRoster(result.roster, roster?.version);
    if (kind === 'committed') return result;
    roster = await deps.store.getRoster({ isConsistent: true });
  }
  throw new BorealisError(
    'THROTTLED',
    `the roster changed at each of ${tries} tries; the heartbeats of this roll call come again with the next`,
  );
}

async function allAgents({ store, log }: RollCallDeps): Promise<Agent[]> {
  const agents: Agent[] = [];
  let cursor: string | undefined;
  do {
    const wanted = { limit: censusPage, ...(cursor !== undefined && { cursor }) };
    const page = await store.listRegistered(wanted, tellAside(log));
    agents.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return agents;
}

/** Whether somebody is silent or not: until roll calls are in time again nothing that says nothing can be given up. */
function tellIfIncomplete(
  { roster: { calledAt, trustedSince } }: RollCallResult,
  found: { readonly isEmpty: boolean; readonly probes: ReadonlySet<number>; readonly before: Roster },
  { log, meter }: RollCallDeps,
): void {
  if (trustedSince < calledAt) return;
  const { isEmpty, probes, before } = found;
  meter.count('RollCallsIncomplete', 1);
  log.warn('heartbeats were not heard in time; silence is no evidence for a while', {
    isEmpty,
    probeFound: probes.has(before.calledAt),
    sinceLastMs: calledAt - before.calledAt,
  });
}

function tell({ roster: { hold } }: RollCallResult, { log, meter }: RollCallDeps): void {
  if (!hold) return;
  meter.count('AgentsHeld', hold.silent);
  log.error(
    hold.reason === 'MASS'
      ? 'too many agents fell silent at once; none is declared lost while that lasts'
      : 'heartbeats may be late; no agent is declared lost until they have been in time for a while',
    { ...hold },
  );
}

/** Carries out losses and returns while there is time; answers how many are left. */
async function settle(
  { roster, back }: RollCallResult,
  remainingMs: RemainingTime,
  deps: RollCallDeps,
): Promise<number> {
  const returning = new Set(back);
  const open = [...roster.agents].filter(
    ([agentId, { lostAt, isSettled }]) =>
      lostAt !== undefined && (isSettled !== true || returning.has(agentId)),
  );
  if (open.length === 0) return 0;
  const agents = new Map(roster.agents);
  let unsettled = 0;
  await mapLimit(open, settledAtOnce, async ([agentId, entry]) => {
    const after = remainingMs() > stopSettlingMs ? await settleOne(agentId, entry, returning, deps) : entry;
    if (after === undefined) agents.delete(agentId);
    else agents.set(agentId, after);
    if (after?.lostAt !== undefined && after.isSettled !== true) unsettled++;
  });
  // If another roll call was first, the next one finds the same and settles it.
  await deps.store.putRoster({ ...roster, version: roster.version + 1, agents }, roster.version);
  return unsettled;
}

/** A failure of one agent must not keep the others from being settled. */
async function settleOne(
  agentId: string,
  entry: RosterEntry,
  returning: ReadonlySet<string>,
  deps: RollCallDeps,
): Promise<RosterEntry | undefined> {
  try {
    return await (returning.has(agentId) ? settleBack : settleLost)(agentId, entry, deps);
  } catch (error) {
    deps.log.error(
      `what follows from the silence of agent ${agentId} could not be carried out; the next roll call tries again`,
      { error },
    );
    return entry;
  }
}
