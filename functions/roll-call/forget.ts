// Forgets agents that are gone for good, whenever the roll call has read every agent's row anyway; so it costs nothing
// while nobody is lost for long. The row goes in one conditional write, its queue by the stream. Once an hour it looks for queues
// that have no agent: what a lost stream record, or a command that came too late, left behind.
import { dueToForget, type ForgetSettings, mayBeForgotten } from '../../shared/domain/agent/forget.ts';
import type { Registered } from '../../shared/domain/agent/roll-call.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Roster } from '../../shared/model/roster.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';
import type { AgentQueue } from '../clients/agent-queues.ts';
import type { Log, MetricPort, RemainingTime } from '../ports.ts';

/** The queues of all agents, known to be there or not. */
export interface AgentQueuesPort {
  list(): Promise<readonly AgentQueue[]>;
  drop(url: string): Promise<void>;
}

export interface ForgetDeps {
  readonly store: Pick<Store, 'forgetAgent' | 'getAgent'>;
  readonly agentQueues: AgentQueuesPort;
  readonly forget: ForgetSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: MetricPort;
}

const atOnce = 8;
/** What is left then has its turn at a later census. */
const reserveMs = 5_000;
const lookEveryMs = 3_600_000;
/** Lost agents that are read in one roll call. */
const mostLooks = 250;
/** A census comes every four minutes. */
const turnMs = 240_000;

/** Answers how many agents were forgotten. A failure leaves the rest to the next census. */
export async function forgetAgents(
  registered: readonly Registered[],
  roster: Roster,
  remainingMs: RemainingTime,
  deps: ForgetDeps,
): Promise<number> {
  const due = turnOf(dueToForget(registered, roster, deps.forget), roster.calledAt);
  let forgotten = 0;
  await mapLimit(due, atOnce, async (agentId) => {
    if (remainingMs() > reserveMs && (await forgetOne(agentId, deps))) forgotten++;
  });
  deps.meter.count('AgentsForgotten', forgotten);
  return forgotten;
}

/** So many at a time, others the next time: those that tasks hold stay due for as long as these wait for a return. */
function turnOf(due: readonly string[], calledAt: number): string[] {
  if (due.length <= mostLooks) return [...due];
  const first = Math.floor(calledAt / turnMs) * mostLooks;
  return Array.from({ length: mostLooks }, (_, index) => due[(first + index) % due.length] as string);
}

async function forgetOne(agentId: string, { store, log }: ForgetDeps): Promise<boolean> {
  try {
    const read = await store.getAgent(agentId);
    if (!read || !mayBeForgotten(read)) return false;
    const { kind } = await store.forgetAgent(read);
    if (kind === 'committed') {
      const { lostAt } = read.agent;
      log.info('an agent that was lost for long is forgotten', { agentId, lostAt });
    }
    return kind === 'committed';
  } catch (error) {
    log.error('a lost agent could not be forgotten; a later roll call tries again', { agentId, error });
    return false;
  }
}

/** Once an hour, which follows from the times of this census and the one before (epoch ms). */
export function isQueueLookDue(censusAt: number, before: number): boolean {
  return Math.floor(censusAt / lookEveryMs) !== Math.floor(before / lookEveryMs);
}

/** Deletes queues without an agent. `known`: agent ids of the census, read before the queues are listed. */
export async function dropOrphans(
  known: ReadonlySet<string>,
  remainingMs: RemainingTime,
  deps: ForgetDeps,
): Promise<void> {
  try {
    const queues = await deps.agentQueues.list();
    const orphans = queues.filter(({ agentId }) => !known.has(agentId));
    await mapLimit(orphans, atOnce, async ({ agentId, url }) => {
      // The census is some seconds old, and may lag.
      if (remainingMs() <= reserveMs || (await deps.store.getAgent(agentId))) return;
      await deps.agentQueues.drop(url);
      deps.log.info('a queue without an agent is deleted', { agentId });
    });
  } catch (error) {
    deps.log.error('queues without an agent could not be looked for; the next hour tries again', { error });
  }
}
