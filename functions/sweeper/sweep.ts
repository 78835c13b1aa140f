// The safety net, every minute: ends what overstayed a transient state, frees what was held back long enough, and wakes
// pools in which tasks wait and jobs that were accepted but not carried out; gives updates that lost their execution
// another; looks over some ledgers. Costs what is overdue, not what exists (design D8). What it has no time for it goes
// on with at once, in another invocation of itself.
import type { SweepRound } from '../../shared/model/wake.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store, SweepLease } from '../../shared/store/port.ts';
import { matcherWake, reconcileWake } from '../messages.ts';
import type { Log, MessagePort, MetricPort, RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import { type Attempt, createAttempts } from './attempts.ts';
import { type AuditDeps, auditLedgers } from './audit-ledgers.ts';
import { type ContinuationDeps, handOver, heldShards, takeRound } from './continuation.ts';
import { createEvidence } from './evidence.ts';
import { emptyReport, type OverdueDeps, type ShardReport, sweepShard } from './overdue.ts';
import { createReminder, type ReminderDeps } from './remind.ts';
import { sweepUpdates, type UpdateSweepDeps } from './sweep-updates.ts';
import { type DrainerWakeDeps, wakeDrainer } from './wake-drainer.ts';

export interface SweeperDeps extends DrainerWakeDeps, OverdueDeps, ContinuationDeps, AuditDeps, ReminderDeps {
  readonly store: DrainerWakeDeps['store'] &
    UpdateSweepDeps['store'] &
    OverdueDeps['store'] &
    ContinuationDeps['store'] &
    AuditDeps['store'] &
    Pick<Store, 'pendingPools' | 'listUnreconciled'>;
  /** Shards of the deadline index. */
  readonly shards: number;
  readonly messages: MessagePort;
  readonly matcherQueueUrl: string;
  readonly jobsQueueUrl: string;
  readonly workflows: UpdateSweepDeps['workflows'];
  readonly log: Log;
  readonly meter: MetricPort;
}

const wakesAtOnce = 500;
const shardsAtOnce = 4;

export interface SweepReport {
  /** Ended as LOST because a state lasted too long. */
  readonly timedOut: number;
  /** THROTTLED tasks whose penalty is over. */
  readonly released: number;
  /** Index entries that were early: the row's own deadline is later. */
  readonly deferred: number;
  /** Overdue, but left alone because reports may be late (shared/domain/agent/evidence.ts). */
  readonly held: number;
  /** Overdue, and looked at again by the next sweep: what they reported may not have arrived yet. */
  readonly awaited: number;
  readonly poolsWoken: number;
  /** Jobs whose newest spec waited so long that its hint must have been lost. */
  readonly jobsWoken: number;
  /** Updates that should have an execution and had none. */
  readonly updatesRestarted: number;
  /** Ledgers that said more than their tasks hold and were set right. */
  readonly ledgersHealed: number;
  readonly complete: boolean;
  /** Another invocation goes on with what was not complete. */
  readonly continued: boolean;
}

/**
 * One sweep, or one more round of it (`round`). Its parts run beside each other, so that neither a long sweep delays the
 * wake-ups nor a service that is slow to take them the ends of what is overdue. The first failure is thrown at the end.
 */
export async function sweep(
  remainingMs: RemainingTime,
  deps: SweeperDeps,
  round?: SweepRound,
): Promise<SweepReport> {
  const { attempt, failures } = createAttempts(remainingMs(), deps);
  const held = round && (await takeRound(round, remainingMs, deps));
  if (round && !held) {
    deps.log.info('this round of a sweep is not to be made (any more)', { id: round.id, round: round.round });
    return reportOf([], nothing, false);
  }
  const waking = round ? nothing : wakeAll(attempt, remainingMs, deps);
  const shards = await attempt('reading the lease', shardsFor(held, deps), allShards(deps));
  const swept = await sweepOverdue(shards, remainingMs, attempt, deps);
  const unfinished = swept.filter(({ complete }) => !complete).map(({ shard }) => shard);
  // What failed is not continued: it would most likely fail again at once.
  const short = swept.filter(({ complete, failed }) => !complete && !failed).map(({ shard }) => shard);
  const continued = await attempt('handing over', handOver(short, held, deps), false);
  const ledgersHealed =
    round || unfinished.length > 0 ? 0 : await attempt('auditing ledgers', auditLedgers(deps), 0);
  const report = reportOf(swept, { ...(await waking), ledgersHealed }, continued);
  tell(report, swept, deps);
  if (failures.length > 0) throw failures[0];
  return report;
}

type Counts = Pick<SweepReport, 'poolsWoken' | 'jobsWoken' | 'updatesRestarted' | 'ledgersHealed'>;

const nothing: Counts = { poolsWoken: 0, jobsWoken: 0, updatesRestarted: 0, ledgersHealed: 0 };

async function wakeAll(attempt: Attempt, remainingMs: RemainingTime, deps: SweeperDeps): Promise<Counts> {
  const shards = allShards(deps);
  const [poolsWoken, jobsWoken, , updatesRestarted] = await Promise.all([
    attempt('waking pools', wakePools(deps), 0),
    attempt('waking jobs', wakeJobs(shards, deps), 0),
    attempt('waking the drainer', wakeDrainer(deps), undefined),
    attempt('looking after updates', sweepUpdates(shards, remainingMs, deps), 0),
  ]);
  return { ...nothing, poolsWoken, jobsWoken, updatesRestarted };
}

function allShards({ shards }: SweeperDeps): number[] {
  return Array.from({ length: shards }, (_, shard) => shard);
}

/** Those of this round, or all that no continued sweep is at work on. */
async function shardsFor(held: SweepLease | undefined, deps: SweeperDeps): Promise<readonly number[]> {
  if (held) return held.shards;
  const taken = await heldShards(deps);
  return allShards(deps).filter((shard) => !taken.has(shard));
}

async function sweepOverdue(
  shards: readonly number[],
  remainingMs: RemainingTime,
  attempt: Attempt,
  deps: SweeperDeps,
): Promise<ShardReport[]> {
  const evidence = createEvidence(deps, remainingMs);
  const remind = createReminder(deps);
  const aside = tellAside(deps.log, () => deps.meter.count('UnreadableRows', 1));
  return mapLimit(shards, shardsAtOnce, (shard) => {
    const report = emptyReport(shard);
    const sweeping = sweepShard(report, remainingMs, { ...deps, evidence, remind, aside });
    return attempt(`sweeping shard ${shard}`, sweeping, { ...report, failed: true });
  });
}

function reportOf(swept: readonly ShardReport[], counts: Counts, continued: boolean): SweepReport {
  const sum = (count: (shard: ShardReport) => number): number =>
    swept.reduce((total, shard) => total + count(shard), 0);
  return {
    timedOut: sum(({ lost }) => lost),
    released: sum(({ released }) => released),
    deferred: sum(({ deferred }) => deferred),
    held: sum(({ held }) => held),
    awaited: sum(({ awaited }) => awaited),
    ...counts,
    complete: swept.every(({ complete }) => complete),
    continued,
  };
}

function tell(report: SweepReport, swept: readonly ShardReport[], { log, meter }: SweeperDeps): void {
  log.info('swept', { ...report });
  meter.count('TimedOutTasks', report.timedOut);
  meter.count('UpdatesRestarted', report.updatesRestarted);
  meter.count('LedgersHealed', report.ledgersHealed);
  meter.count('SweepsContinued', report.continued ? 1 : 0);
  meter.count('TimeoutsHeld', report.held);
  if (report.held > 0) {
    log.warn('tasks are overdue, but changes or reports were held up lately; they get time to arrive', {
      held: report.held,
    });
  }
  const lagMs = Math.max(0, ...swept.map((shard) => shard.lagMs));
  if (lagMs > 0) meter.millis('SweepLag', lagMs);
}

async function wakePools(deps: SweeperDeps): Promise<number> {
  const pools = await deps.store.pendingPools();
  await deps.messages.send(deps.matcherQueueUrl, pools.map(matcherWake));
  return pools.length;
}

async function wakeJobs(shards: readonly number[], deps: SweeperDeps): Promise<number> {
  const jobs = await mapLimit(shards, shardsAtOnce, (shard) =>
    deps.store.listUnreconciled(shard, deps.clock(), wakesAtOnce),
  );
  await deps.messages.send(deps.jobsQueueUrl, jobs.flat().map(reconcileWake));
  return jobs.flat().length;
}
