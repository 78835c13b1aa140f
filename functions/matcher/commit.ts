// Commits what a plan gives agents. Several agents share a transaction as long as it takes them (ADR 0007); when one of
// them is refused the others are sent again, each alone, so that a refused agent holds nobody up for more than one try.
// An agent with more tasks than one transaction takes gets several in a row.
import { type Assignment, takeAll } from '../../shared/domain/placement/index.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import type { Ledger } from '../../shared/model/agent.ts';
import type { Grant } from '../../shared/model/resources.ts';
import { chunks } from '../../shared/store/flow.ts';
import type { AssignInput, AssignOutcome, PendingRow, Store } from '../../shared/store/port.ts';

/** Rows one transaction takes: a ledger and its tasks for each agent. */
const maxRows = 100;

export interface CommitInput {
  readonly assignment: Assignment;
  /** The ledger the plan was made from. */
  readonly ledger: Ledger;
  readonly rows: ReadonlyMap<string, PendingRow>;
}

export interface CommitTimes {
  readonly now: number;
  /** When an assigned task that has not started is given up, epoch ms. */
  readonly deadlineAt: number;
  /** When somebody looks whether it was taken up, epoch ms. */
  readonly lookAt: number;
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

interface Placement {
  readonly row: PendingRow;
  readonly grant: Grant;
}

/** Splits into transactions: as many agents in each as it takes, in order; a larger agent stands alone. */
export function groupForTransactions(inputs: readonly CommitInput[]): CommitInput[][] {
  const groups: CommitInput[][] = [];
  let rows = maxRows;
  for (const input of inputs) {
    const needed = 1 + input.assignment.tasks.length;
    if (rows + needed > maxRows) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(input);
    rows += needed;
  }
  return groups;
}

/**
 * One transaction for a group of two or more; undefined for each agent that must be tried alone: nothing stands against
 * it, or the store would not take the transaction as a whole.
 */
export async function commitTogether(
  group: readonly CommitInput[],
  times: CommitTimes,
  store: Pick<Store, 'assign'>,
): Promise<readonly (CommitResult | undefined)[]> {
  const inputs = group.map((input) => assignInput(input, placementsOf(input), input.ledger, times));
  let outcomes: readonly AssignOutcome[];
  try {
    outcomes = await store.assign(inputs);
  } catch (error) {
    if (!isBorealisError(error, 'THROTTLED') && !isBorealisError(error, 'INTERNAL')) throw error;
    return group.map(() => undefined);
  }
  return group.map((input, index) => resultOf(input.ledger, outcomes[index], inputs[index]));
}

function resultOf(
  ledger: Ledger,
  outcome: AssignOutcome | undefined,
  input: AssignInput | undefined,
): CommitResult | undefined {
  switch (outcome?.kind) {
    case 'committed':
      return {
        ledger: input?.after ?? ledger,
        committed: input?.tasks.map(({ row }) => row) ?? [],
        gone: [],
        stale: false,
      };
    case 'ledgerConflict':
      return { ledger, committed: [], gone: [], stale: true };
    case 'taskConflict':
      return { ledger, committed: [], gone: outcome.taskIds, stale: false };
    case 'held':
    case undefined:
      return undefined;
  }
}

/** One agent alone. Stops at the first refusal; what was committed before it stands. */
export async function commitAssignment(
  input: CommitInput,
  times: CommitTimes,
  store: Pick<Store, 'assign'>,
): Promise<CommitResult> {
  let ledger = input.ledger;
  const committed: PendingRow[] = [];
  for (const chunk of chunks(placementsOf(input), maxRows - 1)) {
    const request = assignInput(input, chunk, ledger, times);
    const [outcome] = await store.assign([request]);
    const result = resultOf(ledger, outcome, request);
    // Alone in its transaction nothing else can have held it up: whatever it is, read the agent again.
    if (result === undefined) return { ledger, committed, gone: [], stale: true };
    if (result.committed.length === 0) return { ...result, committed };
    committed.push(...result.committed);
    ledger = result.ledger;
  }
  return { ledger, committed, gone: [], stale: false };
}

function placementsOf({ assignment, rows }: CommitInput): Placement[] {
  return assignment.tasks.flatMap(({ taskId, grant }) => {
    const row = rows.get(taskId);
    return row ? [{ row, grant }] : [];
  });
}

function assignInput(
  { assignment }: CommitInput,
  tasks: readonly Placement[],
  ledger: Ledger,
  times: CommitTimes,
): AssignInput {
  const after = tasks.length === assignment.tasks.length ? assignment.after : ledgerAfter(ledger, tasks);
  return { agentId: assignment.agentId, ledgerVersion: ledger.version, after, tasks, ...times };
}

function ledgerAfter(ledger: Ledger, tasks: readonly Placement[]): Ledger {
  const holdings = tasks.map(({ row, grant }) => ({ taskId: row.taskId, resources: row.resources, grant }));
  return { ...takeAll(ledger, holdings), version: ledger.version + 1 };
}
