// The safety net, every minute: ends what overstayed a transient state, frees what was held back long enough, and wakes
// pools in which tasks wait and jobs that were accepted but not carried out; gives updates that lost their execution
// another. Costs what is overdue, not what exists (design D8).
import { isSilenceEvidence } from '../../shared/domain/agent/evidence.ts';
import { applyTransition } from '../../shared/domain/task/apply.ts';
import type { FlappingSettings } from '../../shared/domain/task/flapping.ts';
import { type StateTimeouts, timedOut } from '../../shared/domain/task/timeouts.ts';
import type { Clock, IdSource, RandomSource } from '../../shared/lib/ports.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { SetAside, Store, TransitionWrite } from '../../shared/store/port.ts';
import { matcherWake, reconcileWake } from '../messages.ts';
import type { Log, MessagePort, MetricPort, RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import { sweepUpdates, type UpdateSweepDeps } from './sweep-updates.ts';
import { type DrainerWakeDeps, wakeDrainer } from './wake-drainer.ts';

export interface SweeperDeps extends DrainerWakeDeps {
  readonly store: DrainerWakeDeps['store'] &
    UpdateSweepDeps['store'] &
    Pick<Store, 'listDue' | 'deferDue' | 'transitionAll' | 'pendingPools' | 'listUnreconciled' | 'getRoster'>;
  /** Shards of the deadline index. */
  readonly shards: number;
  readonly messages: MessagePort;
  readonly matcherQueueUrl: string;
  readonly jobsQueueUrl: string;
  readonly workflows: UpdateSweepDeps['workflows'];
  readonly timeouts: StateTimeouts;
  readonly flapping: FlappingSettings;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: RandomSource;
  readonly log: Log;
  readonly meter: MetricPort;
}

const pageSize = 500;
const shardsAtOnce = 4;
const defersAtOnce = 16;
/** Leave the rest to the next minute when less time than this is left, milliseconds. */
const reserveMs = 5_000;

export interface SweepReport {
  /** Ended as LOST because a state lasted too long. */
  readonly timedOut: number;
  /** THROTTLED tasks whose penalty is over. */
  readonly released: number;
  /** Index entries that were early: the row's own deadline is later. */
  readonly deferred: number;
  /** Overdue, but left alone because reports may be late (shared/domain/agent/evidence.ts). */
  readonly held: number;
  readonly poolsWoken: number;
  /** Jobs whose newest spec waited so long that its hint must have been lost. */
  readonly jobsWoken: number;
  /** Updates that should have an execution and had none. */
  readonly updatesRestarted: number;
  readonly complete: boolean;
}

/**
 * One sweep. Pools are woken first, so that a long sweep never delays them. Each part is tried whatever became of the
 * others, for none of them can be done by anybody else; the first failure is thrown at the end.
 */
export async function sweep(remainingMs: RemainingTime, deps: SweeperDeps): Promise<SweepReport> {
  const failures: unknown[] = [];
  const attempt = async <T>(what: string, work: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failures.push(error);
      deps.log.error(`${what} failed; the rest of the sweep goes on`, { error });
      return otherwise;
    }
  };
  const shards = Array.from({ length: deps.shards }, (_, shard) => shard);
  const poolsWoken = await attempt('waking pools', wakePools(deps), 0);
  const jobsWoken = await attempt('waking jobs', wakeJobs(shards, deps), 0);
  await attempt('waking the drainer', wakeDrainer(deps), undefined);
  const updatesRestarted = await attempt('looking after updates', sweepUpdates(shards, deps), 0);
  const evidence = createEvidence(deps);
  const aside = tellAside(deps.log, () => deps.meter.count('UnreadableRows', 1));
  const swept = await mapLimit(shards, shardsAtOnce, (shard) => {
    const report: ShardReport = { lost: 0, released: 0, deferred: 0, held: 0, lagMs: 0, complete: false };
    const sweeping = sweepShard(shard, report, remainingMs, { ...deps, evidence, aside });
    return attempt(`sweeping shard ${shard}`, sweeping, report);
  });
  const report: SweepReport = {
    timedOut: swept.reduce((sum, { lost }) => sum + lost, 0),
    released: swept.reduce((sum, { released }) => sum + released, 0),
    deferred: swept.reduce((sum, { deferred }) => sum + deferred, 0),
    held: swept.reduce((sum, { held }) => sum + held, 0),
    poolsWoken,
    jobsWoken,
    updatesRestarted,
    complete: swept.every(({ complete }) => complete),
  };
  deps.log.info('swept', { ...report });
  deps.meter.count('TimedOutTasks', report.timedOut);
  if (updatesRestarted > 0) deps.meter.count('UpdatesRestarted', updatesRestarted);
  if (report.held > 0) {
    deps.meter.count('TimeoutsHeld', report.held);
    deps.log.warn('tasks are overdue, but reports were held up lately; they get time to arrive', {
      held: report.held,
    });
  }
  const lagMs = Math.max(0, ...swept.map((shard) => shard.lagMs));
  if (lagMs > 0) deps.meter.millis('SweepLag', lagMs);
  if (failures.length > 0) throw failures[0];
  return report;
}

async function wakePools(deps: SweeperDeps): Promise<number> {
  const pools = await deps.store.pendingPools();
  await deps.messages.send(deps.matcherQueueUrl, pools.map(matcherWake));
  return pools.length;
}

async function wakeJobs(shards: readonly number[], deps: SweeperDeps): Promise<number> {
  const jobs = await mapLimit(shards, shardsAtOnce, (shard) =>
    deps.store.listUnreconciled(shard, deps.clock(), pageSize),
  );
  await deps.messages.send(deps.jobsQueueUrl, jobs.flat().map(reconcileWake));
  return jobs.flat().length;
}

interface ShardReport {
  lost: number;
  released: number;
  deferred: number;
  held: number;
  /** How overdue the most overdue task was, milliseconds. */
  lagMs: number;
  complete: boolean;
}

async function sweepShard(
  shard: number,
  report: ShardReport,
  remainingMs: RemainingTime,
  deps: ShardDeps,
): Promise<ShardReport> {
  while (remainingMs() > reserveMs) {
    let left = 0;
    const aside: SetAside = (row) => {
      left++;
      deps.aside(row);
    };
    const due = await deps.store.listDue(shard, deps.clock(), pageSize, aside);
    const moved = await sweepPage(due, report, deps);
    // Without progress the same page would come again; what is stuck here is looked at in the next sweep.
    if (due.length + left < pageSize || moved === 0) {
      report.complete = true;
      break;
    }
  }
  return report;
}

async function sweepPage(due: readonly Task[], report: ShardReport, deps: ShardDeps): Promise<number> {
  const now = deps.clock();
  const writes: TransitionWrite[] = [];
  const early: Task[] = [];
  for (const task of due) {
    const write = overdueWrite(task, now, deps);
    if (!write) {
      early.push(task);
      continue;
    }
    // Being held back too long needs no report to be seen; all other deadlines wait for one.
    if (write.next?.state !== 'PENDING' && !(await deps.evidence())) {
      report.held++;
      continue;
    }
    writes.push(write);
    report.lagMs = Math.max(report.lagMs, now - (task.deadlineAt ?? now));
  }
  const [outcomes] = await Promise.all([
    writes.length === 0 ? [] : deps.store.transitionAll(writes),
    mapLimit(early, defersAtOnce, (task) => deps.store.deferDue(task)),
  ]);
  const lost: string[] = [];
  for (const [index, { kind }] of outcomes.entries()) {
    const write = writes[index];
    if (kind !== 'committed' || !write) continue;
    if (write.next?.state === 'PENDING') report.released++;
    else lost.push(write.task.taskId);
  }
  report.lost += lost.length;
  if (lost.length > 0) deps.log.warn('tasks timed out', { taskIds: lost });
  report.deferred += early.length;
  return early.length + outcomes.filter(({ kind }) => kind === 'committed').length;
}

interface ShardDeps extends SweeperDeps {
  /** May a task that has not reported be given up? Read when first asked. */
  readonly evidence: () => Promise<boolean>;
  readonly aside: SetAside;
}

function createEvidence({ store, clock }: SweeperDeps): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined;
  return () => {
    asked ??= store.getRoster().then((roster) => isSilenceEvidence(roster, clock()));
    return asked;
  };
}

/** The write an overdue task needs; undefined if its row says it is not due (the index entry is only a hint). */
function overdueWrite(task: Task, now: number, deps: SweeperDeps): TransitionWrite | undefined {
  const action = timedOut(task, now);
  if (!action) return undefined;
  const { timeouts, flapping } = deps;
  const input = { now, message: action.message, expected: task.state, timeouts, flapping };
  const plan = applyTransition(task, action.to, input, deps);
  if (plan.outcome !== 'SUCCESS' || !plan.next) return undefined;
  return { task, next: plan.next, ...(plan.successor && { successor: plan.successor }) };
}
