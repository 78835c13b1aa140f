// Forgets agents that are gone for good, whenever the roll call has read every agent's row anyway; so it costs nothing
// while nobody goes. The row goes in one conditional write, its queue by the stream. Once an hour it looks for queues
// that have no agent: what a lost stream record, or a command that came too late, left behind.
import { dueToForget, type ForgetSettings } from '../../shared/domain/agent/forget.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Roster } from '../../shared/model/roster.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger, Store } from '../../shared/store/port.ts';
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

/** Answers how many agents were forgotten. `lost`: as the census read them. A failure leaves the rest to the next. */
export async function forgetAgents(
  lost: readonly AgentWithLedger[],
  roster: Roster,
  remainingMs: RemainingTime,
  deps: ForgetDeps,
): Promise<number> {
  const due = dueToForget(lost, roster, deps.forget);
  let forgotten = 0;
  await mapLimit(due, atOnce, async (read) => {
    if (remainingMs() <= reserveMs) return;
    const { agentId, lostAt } = read.agent;
    try {
      const { kind } = await deps.store.forgetAgent(read);
      if (kind === 'conflict') return;
      forgotten++;
      deps.log.info('an agent that was lost for long is forgotten', { agentId, lostAt });
    } catch (error) {
      deps.log.error('a lost agent could not be forgotten; a later roll call tries again', {
        agentId,
        error,
      });
    }
  });
  deps.meter.count('AgentsForgotten', forgotten);
  return forgotten;
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
