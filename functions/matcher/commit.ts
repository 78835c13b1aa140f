// Commits what a plan gives one agent: one transaction, or several in a row when there are more tasks than one takes.
import { type Assignment, takeAll } from '../../shared/domain/placement/index.ts';
import type { Ledger } from '../../shared/model/agent.ts';
import type { Grant } from '../../shared/model/resources.ts';
import { chunks } from '../../shared/store/flow.ts';
import type { PendingRow, Store } from '../../shared/store/port.ts';

/** One transaction takes 100 items: the ledger and these. */
const maxTasks = 99;

export interface CommitInput {
  readonly assignment: Assignment;
  /** The ledger the plan was made from. */
  readonly ledger: Ledger;
  readonly rows: ReadonlyMap<string, PendingRow>;
  readonly now: number;
  readonly deadlineAt: number;
}

export interface CommitResult {
  /** The ledger as it is after what was committed. */
  readonly ledger: Ledger;
  readonly committed: readonly PendingRow[];
  /** Tasks that no longer wait. */
  readonly gone: readonly string[];
  /** The ledger had moved on: read the agent again. */
  readonly stale: boolean;
}

/** Stops at the first refusal; what was committed before it stands. */
export async function commitAssignment(
  input: CommitInput,
  store: Pick<Store, 'assign'>,
): Promise<CommitResult> {
  const { assignment, rows, now, deadlineAt } = input;
  const tasks = assignment.tasks.flatMap(({ taskId, grant }) => {
    const row = rows.get(taskId);
    return row ? [{ row, grant }] : [];
  });
  let ledger = input.ledger;
  const committed: PendingRow[] = [];
  for (const chunk of chunks(tasks, maxTasks)) {
    const after = chunk.length === assignment.tasks.length ? assignment.after : ledgerAfter(ledger, chunk);
    const outcome = await store.assign({
      agentId: assignment.agentId,
      ledgerVersion: ledger.version,
      after,
      tasks: chunk,
      now,
      deadlineAt,
    });
    if (outcome.kind === 'ledgerConflict') return { ledger, committed, gone: [], stale: true };
    if (outcome.kind === 'taskConflict') return { ledger, committed, gone: outcome.taskIds, stale: false };
    committed.push(...chunk.map(({ row }) => row));
    ledger = after;
  }
  return { ledger, committed, gone: [], stale: false };
}

function ledgerAfter(
  ledger: Ledger,
  tasks: readonly { readonly row: PendingRow; readonly grant: Grant }[],
): Ledger {
  const holdings = tasks.map(({ row, grant }) => ({ taskId: row.taskId, resources: row.resources, grant }));
  return { ...takeAll(ledger, holdings), version: ledger.version + 1 };
}
