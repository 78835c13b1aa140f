// What overstayed a transient state, shard by shard of the due index: ended, or put off if its index entry came up early.
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { timedOut } from '../../shared/domain/task/timeouts.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { SetAside, Store, TransitionWrite } from '../../shared/store/port.ts';
import type { RemainingTime } from '../ports.ts';
import type { TransitionDeps } from '../transition-deps.ts';
import type { createEvidence, EvidenceDeps } from './evidence.ts';
import type { Remind } from './remind.ts';

export interface OverdueDeps extends TransitionDeps, EvidenceDeps {
  readonly store: Pick<Store, 'listDue' | 'deferDue' | 'transitionAll'> & EvidenceDeps['store'];
  /** Index entries read at once; replaced in tests. */
  readonly pageSize?: number;
}

const defaultPageSize = 500;
const defersAtOnce = 16;
/** Begin no page when less time than this is left, milliseconds. */
const reserveMs = 10_000;

export interface ShardReport {
  readonly shard: number;
  lost: number;
  released: number;
  deferred: number;
  held: number;
  /** Overdue, and it is not known yet whether what they reported has arrived. */
  awaited: number;
  /** How overdue the most overdue task was, milliseconds. */
  lagMs: number;
  /** False: time was up before its end. */
  complete: boolean;
  /** Something in it could not be done. */
  readonly failed?: true;
}

export function emptyReport(shard: number): ShardReport {
  return { shard, lost: 0, released: 0, deferred: 0, held: 0, awaited: 0, lagMs: 0, complete: false };
}

/** Adds to `report` as it goes, so that what was done shows even if it fails. Answers the report. */
export async function sweepShard(
  report: ShardReport,
  remainingMs: RemainingTime,
  deps: ShardDeps,
): Promise<ShardReport> {
  const { pageSize = defaultPageSize } = deps;
  let cursor: string | undefined;
  while (remainingMs() > reserveMs) {
    const page = { limit: pageSize, ...(cursor !== undefined && { cursor }) };
    // Page after page and never from the beginning again: what a page ends may stand in the index for a while longer.
    const due = await deps.store.listDue(report.shard, deps.clock(), page, deps.aside);
    const before = report.held + report.awaited;
    const moved = await sweepPage(due.items, report, deps);
    cursor = due.next;
    // While reports are held up, page after page would be read for nothing.
    const isHeldUp = moved === 0 && report.held + report.awaited > before;
    if (cursor === undefined || isHeldUp) {
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
    report.lagMs = Math.max(report.lagMs, now - (task.deadlineAt ?? now));
    // Being held back too long needs no report to be seen; all other deadlines wait for one.
    const verdict = write.next?.state === 'PENDING' ? 'counts' : await deps.evidence(task.deadlineAt ?? now);
    if (verdict === 'held') report.held++;
    if (verdict === 'soon') report.awaited++;
    if (verdict !== 'counts') continue;
    writes.push(write);
  }
  const [outcomes] = await Promise.all([
    writes.length === 0 ? [] : deps.store.transitionAll(writes),
    // The entry of a launch goes on only once its agent was told: a crash in between tells it twice.
    mapLimit(early, defersAtOnce, async (task) => {
      if (await deps.remind(task)) await deps.store.deferDue(task);
    }),
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

export interface ShardDeps extends OverdueDeps {
  /** May a task that did not report until then be given up? */
  readonly evidence: ReturnType<typeof createEvidence>;
  readonly remind: Remind;
  readonly aside: SetAside;
}

/** The write an overdue task needs; undefined if its row says it is not due (the index entry is only a hint). */
function overdueWrite(task: Task, now: number, deps: OverdueDeps): TransitionWrite | undefined {
  const action = timedOut(task, now);
  if (!action) return undefined;
  const { timeouts, flapping } = deps;
  const input = { now, message: action.message, expected: task.state, timeouts, flapping };
  const plan = applyTransition(task, action.to, input, deps);
  if (plan.outcome !== 'SUCCESS' || !plan.next) return undefined;
  return { task, next: plan.next, ...(plan.successor && { successor: plan.successor }) };
}
