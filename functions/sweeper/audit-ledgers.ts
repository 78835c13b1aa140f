// Looks over the ledgers of a few agents at every sweep, all in turn: is what they hold held by a task that is there? A
// release that was given up (ADR 0001) would keep its room for ever. Which agents come next follows from the time, so
// nothing is written while all is well; those that are suspected come every time.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Holding, judgeLedger, wholeCard } from '../../shared/domain/placement/index.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Roster } from '../../shared/model/roster.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import { agentShards } from '../../shared/store/keys.ts';
import type { AgentWithLedger, LedgerSuspicion, Store } from '../../shared/store/port.ts';
import type { Log, MetricPort } from '../ports.ts';
import { tellAside } from '../set-aside.ts';

export interface AuditDeps {
  readonly store: Pick<
    Store,
    | 'listAgentShard'
    | 'getAgent'
    | 'listOnAgent'
    | 'listSuspicions'
    | 'putSuspicion'
    | 'dropSuspicion'
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
const agentsPerSweep = 16;
/** Looked at again in every sweep, the oldest suspicions first. */
const suspectsPerSweep = 16;
const agentsAtOnce = 4;
/** Looks at one agent on which tasks come and go, and the pause between two: indexes and releases mostly lag by less. */
const looks = 3;
const pauseMs = 500;

/** Answers how many ledgers were set right. */
export async function auditLedgers(deps: AuditDeps): Promise<number> {
  const slot = Math.floor(deps.clock() / minuteMs);
  const [agentIds, suspicions] = await Promise.all([
    deps.store.listAgentShard(slot % agentShards),
    deps.store.listSuspicions(),
  ]);
  const turn = turnOf(agentIds, Math.floor(slot / agentShards));
  const suspects = [...suspicions.keys()].slice(0, suspectsPerSweep);
  const healed = await mapLimit([...new Set([...suspects, ...turn])], agentsAtOnce, (agentId) =>
    auditOne(agentId, suspicions.get(agentId), deps),
  );
  return healed.filter(Boolean).length;
}

/** The next ones at each visit to the shard, from the beginning after the last. */
function turnOf(agentIds: readonly string[], visit: number): string[] {
  const count = Math.min(agentsPerSweep, agentIds.length);
  return Array.from({ length: count }, (_, index) => {
    return agentIds[(visit * agentsPerSweep + index) % agentIds.length] as string;
  });
}

/** Answers whether its ledger was set right. */
async function auditOne(
  agentId: string,
  suspicion: LedgerSuspicion | undefined,
  deps: AuditDeps,
): Promise<boolean> {
  const seen = new Map<string, Holding>();
  for (let look = 1; look <= looks; look++) {
    if (look > 1) await sleep(pauseMs);
    const found = await lookAt(agentId, suspicion, seen, deps);
    if (found !== 'moving') return found === 'healed';
  }
  return false;
}

/** `seen`: what tasks held that earlier looks found, and this one; by task id. */
async function lookAt(
  agentId: string,
  suspicion: LedgerSuspicion | undefined,
  seen: Map<string, Holding>,
  deps: AuditDeps,
): Promise<'healed' | 'moving' | 'other'> {
  const { store, clock, log, meter } = deps;
  // The ledger first: what happens to its tasks from here on moves its version.
  const entry = await store.getAgent(agentId);
  const isRight = !entry || isUntouched(entry);
  let isWhole = true;
  const tasks = isRight
    ? []
    : await store.listOnAgent(agentId, (row) => {
        isWhole = false;
        tellAside(log, () => meter.count('UnreadableRows', 1))(row);
      });
  // What a row that cannot be read holds is not known; it must not be given away.
  if (!isWhole) return 'other';
  const holdings = tasks.map(holdingOf);
  const first =
    entry &&
    judgeLedger({ ...entry, tasks: holdings, now: clock(), suspicion: undefined, saysItHas: undefined });
  if (isRight || first?.kind === 'right') {
    if (suspicion) await store.dropSuspicion(agentId);
    return 'other';
  }
  const roster = await store.getRoster();
  const ended = [...seen.values()].filter(({ taskId }) => !holdings.some((one) => one.taskId === taskId));
  for (const holding of holdings) seen.set(holding.taskId, holding);
  const audited = { ...entry, lostAt: entry.agent.lostAt, tasks: holdings, ended, now: clock() };
  const verdict = judgeLedger({ ...audited, suspicion, saysItHas: tasksOf(agentId, roster) });
  if (verdict.kind === 'suspect') {
    const { live, since, isMoving } = verdict;
    if (since !== suspicion?.since || live.length !== suspicion.live.length) {
      await store.putSuspicion(agentId, { live, since });
      log.info('a ledger does not say what its tasks hold; it is looked at again', { agentId });
    }
    return isMoving ? 'moving' : 'other';
  }
  if (verdict.kind !== 'wrong') return 'other';
  const { kind } = await store.healLedger(entry, verdict.ledger);
  if (kind !== 'committed') return 'other';
  // A release can get lost; that a ledger promises what tasks hold can only be a mistake of this program.
  const isLeak = verdict.violations.every(({ code }) => code === 'LEAKED' || code === 'LIVE_WITHOUT_TASK');
  log.error(isLeak ? leakHealed : promiseHealed, {
    agentId,
    violations: verdict.violations.map(({ code, what }) => `${code} ${what}`),
  });
  return 'healed';
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
