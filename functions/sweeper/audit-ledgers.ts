// Looks over the ledgers of a few agents at every sweep, all in turn: is what they hold held by a task that is there? A
// release that was given up (ADR 0001) would keep its room for ever. Which agents come next follows from the time, so
// nothing is written while all is well.
import { type Holding, judgeLedger, wholeCard } from '../../shared/domain/placement/index.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Roster } from '../../shared/model/roster.ts';
import type { Task } from '../../shared/model/task.ts';
import { agentShards } from '../../shared/store/keys.ts';
import type { AgentWithLedger, Store } from '../../shared/store/port.ts';
import type { Log, MetricPort } from '../ports.ts';
import { tellAside } from '../set-aside.ts';

export interface AuditDeps {
  readonly store: Pick<
    Store,
    | 'listAgentShard'
    | 'getAgent'
    | 'listOnAgent'
    | 'getSuspicion'
    | 'putSuspicion'
    | 'healLedger'
    | 'getRoster'
  >;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: MetricPort;
}

const leakHealed = 'a ledger held room for tasks that are gone, and was set right';
const promiseHealed = 'a ledger promised room that tasks hold, and was set right';
const minuteMs = 60_000;
/** Of one shard of the fleet; each shard has its turn every `agentShards` minutes. */
const agentsPerSweep = 8;

/** Answers how many ledgers were set right. */
export async function auditLedgers(deps: AuditDeps): Promise<number> {
  const slot = Math.floor(deps.clock() / minuteMs);
  const aside = tellAside(deps.log, () => deps.meter.count('UnreadableRows', 1));
  const agents = await deps.store.listAgentShard(slot % agentShards, aside);
  let healed = 0;
  for (const { agent } of turnOf(agents, Math.floor(slot / agentShards))) {
    if (await auditOne(agent.agentId, deps)) healed++;
  }
  return healed;
}

/** The next ones at each visit to the shard, from the beginning after the last. */
function turnOf(agents: readonly AgentWithLedger[], visit: number): AgentWithLedger[] {
  const count = Math.min(agentsPerSweep, agents.length);
  return Array.from({ length: count }, (_, index) => {
    return agents[(visit * agentsPerSweep + index) % agents.length] as AgentWithLedger;
  });
}

async function auditOne(agentId: string, deps: AuditDeps): Promise<boolean> {
  const { store, clock, log, meter } = deps;
  // The ledger first: what happens to its tasks from here on moves its version.
  const entry = await store.getAgent(agentId);
  if (!entry || isUntouched(entry)) return false;
  let isWhole = true;
  const tasks = await store.listOnAgent(agentId, (row) => {
    isWhole = false;
    tellAside(log, () => meter.count('UnreadableRows', 1))(row);
  });
  // What a row that cannot be read holds is not known; it must not be given away.
  if (!isWhole) return false;
  const holdings = tasks.map(holdingOf);
  const audited = { ...entry, tasks: holdings, now: clock() };
  const first = judgeLedger({ ...audited, suspicion: undefined, saysItHas: undefined });
  if (first.kind === 'right') return false;
  const [suspicion, roster] = await Promise.all([store.getSuspicion(agentId), store.getRoster()]);
  const verdict = judgeLedger({ ...audited, suspicion, saysItHas: tasksOf(agentId, roster) });
  if (verdict.kind === 'suspect' && verdict.since !== suspicion?.since) {
    await store.putSuspicion(agentId, verdict);
    log.info('a ledger does not say what its tasks hold; it is looked at again', { agentId });
  }
  if (verdict.kind !== 'wrong') return false;
  const { kind } = await store.healLedger(entry, verdict.ledger);
  if (kind === 'committed') {
    // A release can get lost; that a ledger promises what tasks hold can only be a mistake of this program.
    const isLeak = verdict.violations.every(({ code }) => code === 'LEAKED' || code === 'LIVE_WITHOUT_TASK');
    log.error(isLeak ? leakHealed : promiseHealed, {
      agentId,
      violations: verdict.violations.map(({ code, what }) => `${code} ${what}`),
    });
  }
  return kind === 'committed';
}

/** Nothing is held, nothing is missing: most agents of an idle cluster, for the price of one read. */
function isUntouched({ agent: { capacity }, ledger }: AgentWithLedger): boolean {
  return (
    ledger.live.length === 0 &&
    ledger.usedPorts.length === 0 &&
    ledger.freeCpuMilli === capacity.cpuMilli &&
    ledger.freeRamMb === capacity.ramMb &&
    ledger.freeDiskMb === capacity.diskMb &&
    ledger.gpus.every(({ freeMilli }) => freeMilli === wholeCard)
  );
}

function holdingOf({ taskId, resources, grant }: Task): Holding {
  return { taskId, resources, grant: grant ?? { gpus: [], ports: {} } };
}

function tasksOf(agentId: string, roster: Roster | undefined): number | undefined {
  return roster?.agents.get(agentId)?.tasks;
}
