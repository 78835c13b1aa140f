// What to make of a ledger that does not say what the tasks on its agent hold. A release that was lost for good (ADR 0001)
// leaves an id in `live` and its room taken for ever. But the list of an agent's tasks comes from an index that lags: a
// task assigned a moment ago may not be in it, and must not be taken for a leak. So an id without a task is only
// suspected at first; its room is freed once it is still without one a good while later, and the agent itself has no
// more tasks than are known. On a busy agent some other task always begins or ends meanwhile: what that holds is left as
// it is, if it is known, and the suspicion stands. What a lost agent said last counts for nothing: that was before its tasks
// were ended.
import type { Ledger } from '../../model/agent.ts';
import { liveId } from '../../model/job-key.ts';
import type { Capacity } from '../../model/resources.ts';
import { auditLedger, type LedgerViolation } from './audit.ts';
import type { Holding } from './ledger.ts';
import { rebuildLedger } from './rebuild.ts';

/** Indexes lag by seconds; by so long only if DynamoDB itself is ill. Milliseconds. */
export const confirmAfterMs = 15 * 60_000;

export interface Audited {
  readonly agent: { readonly agentId: string; readonly capacity: Capacity };
  /** Read before the tasks. */
  readonly ledger: Ledger;
  /** Every task in an on-agent state, as far as the index shows them. */
  readonly tasks: readonly Holding[];
  /** What tasks held that were on the agent a moment ago; their room may not have been given back yet. */
  readonly ended?: readonly Holding[];
  /** From an earlier audit. */
  readonly suspicion: { readonly live: readonly string[]; readonly since: number } | undefined;
  /** How many tasks the agent said it has, when it was heard last; undefined if it did not. */
  readonly saysItHas: number | undefined;
  /** When the agent was declared lost, if it is. */
  readonly lostAt?: number | undefined;
  readonly now: number;
}

export type LedgerVerdict =
  | { readonly kind: 'right' }
  /** Something is amiss that may still explain itself. `live`: ids without a task. */
  | {
      readonly kind: 'suspect';
      readonly live: readonly string[];
      readonly since: number;
      /** Tasks come and go: what some ids hold is not known yet, another look in a moment may tell. */
      readonly isMoving?: true;
    }
  | { readonly kind: 'wrong'; readonly ledger: Ledger; readonly violations: readonly LedgerViolation[] };

/** INTERNAL if the tasks cannot all have been on the agent at one moment. */
export function judgeLedger(audited: Audited): LedgerVerdict {
  const { agent, ledger, tasks, suspicion, now } = audited;
  const violations = auditLedger(agent.capacity, ledger, tasks);
  if (violations.length === 0) return { kind: 'right' };
  const known = new Set(tasks.map(({ taskId }) => liveId(taskId)));
  const without = ledger.live.filter((id) => !known.has(id));
  const suspected = new Set(suspicion?.live);
  const still = without.filter((id) => suspected.has(id));
  // A suspicion without ids is of the amounts alone.
  const isOld = still.length > 0 || suspected.size === 0 || without.length === 0;
  if (suspicion === undefined || !isOld) return { kind: 'suspect', live: without, since: now };
  const ended = new Map(audited.ended?.map((holding) => [liveId(holding.taskId), holding]));
  const others = without.filter((id) => !suspected.has(id));
  const moving = others.flatMap((id) => ended.get(id) ?? []);
  const held = [...tasks, ...moving];
  const since = { live: still, since: suspicion.since };
  if (now - suspicion.since < confirmAfterMs) return { kind: 'suspect', ...since };
  if (moving.length < others.length) return { kind: 'suspect', ...since, isMoving: true };
  if (!isConfirmed({ ...audited, tasks: held }, suspicion.since)) return { kind: 'suspect', ...since };
  const right = rebuildLedger(agent, ledger, held);
  return right ? { kind: 'wrong', ledger: right, violations } : { kind: 'right' };
}

/** Has been so for long enough, and the agent does not say otherwise. */
function isConfirmed({ tasks, saysItHas, lostAt, now }: Audited, since: number): boolean {
  const mostTasks = lostAt === undefined ? (saysItHas ?? Infinity) : 0;
  return now - Math.max(since, lostAt ?? 0) >= confirmAfterMs && mostTasks <= tasks.length;
}
