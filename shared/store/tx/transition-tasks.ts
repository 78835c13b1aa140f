// Atomic writes, one per task: many tasks change state.
//
// Preconditions  per task as in transition-task.ts; the history is compared whole
// Items          1 task row each; 25 statements a request, each by itself
// Outcomes       per task, in order: committed | conflict with the row as it is now
// Retry safety   as transition-task.ts
//
// A request costs the client more than the write it carries, so whatever fits goes by the batch. Some does not:
// successors (two rows), deletions, two changes of one row, and statements that would remove more than one attribute,
// which DynamoDB and the embedded engine write in different ways. These, and whatever a batch could not say yes or no
// to, go one by one.
import { BatchExecuteStatementCommand, type BatchExecuteStatementCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { Task } from '../../model/task.ts';
import { decodeTask, encodeEvent, suffixOf } from '../codec/task-row.ts';
import { type Connection, send } from '../connection.ts';
import { chunks, mapLimit } from '../flow.ts';
import { taskKeyOf } from '../keys.ts';
import type { TransitionOutcome, TransitionWrite } from '../port.ts';
import { batchGet } from '../read/query.ts';
import { updateOf } from '../task-update.ts';

const statementsPerBatch = 25;
const batchesInFlight = 4;
const singlesInFlight = 16;

interface Statement {
  readonly index: number;
  readonly task: Task;
  readonly Statement: string;
  readonly Parameters: unknown[];
}

/** `one` commits a single transition of any kind. */
export async function transitionTasks(
  connection: Connection,
  input: {
    readonly writes: readonly TransitionWrite[];
    readonly historyMs: number;
    readonly one: (write: TransitionWrite) => Promise<TransitionOutcome>;
  },
): Promise<TransitionOutcome[]> {
  const { writes } = input;
  const outcomes: (TransitionOutcome | undefined)[] = writes.map(() => undefined);
  const batches = chunks(batchable(connection, writes, input.historyMs), statementsPerBatch);
  await mapLimit(batches, batchesInFlight, (batch) => commitBatch(connection, batch, outcomes));
  const rest = [...outcomes.keys()].filter((index) => outcomes[index] === undefined);
  await mapLimit(rest, singlesInFlight, async (index) => {
    outcomes[index] = await input.one(writes[index] as TransitionWrite);
  });
  return outcomes as TransitionOutcome[];
}

function batchable(
  connection: Connection,
  writes: readonly TransitionWrite[],
  historyMs: number,
): Statement[] {
  const statements: Statement[] = [];
  const seen = new Set<string>();
  for (const [index, { task, next, successor }] of writes.entries()) {
    const { pk, sk } = taskKeyOf(task);
    const first = !seen.has(`${pk} ${sk}`);
    seen.add(`${pk} ${sk}`);
    if (!first || next === undefined || successor !== undefined) continue;
    const { set, append, remove } = updateOf(task, next, historyMs);
    if (remove.length > 1) continue;
    const read = task.events.map(encodeEvent);
    const values = append ? { ...set, e: [...read, ...(append.e ?? [])] } : set;
    const sets = Object.keys(values).map((name) => `"${name}" = ?`);
    const removes = remove.map((name) => ` REMOVE "${name}"`).join('');
    statements.push({
      index,
      task,
      Statement:
        `UPDATE "${connection.state}" SET ${sets.join(', ')}${removes} ` +
        'WHERE "pk" = ? AND "sk" = ? AND "x" = ? AND "s" = ? AND "e" = ?',
      Parameters: [...Object.values(values), pk, sk, suffixOf(task.taskId), task.state, read],
    });
  }
  return statements.length > 1 ? statements : [];
}

/** Fills in what the batch decided; what it left open stays undefined. */
async function commitBatch(
  connection: Connection,
  batch: readonly Statement[],
  outcomes: (TransitionOutcome | undefined)[],
): Promise<void> {
  const { Responses = [] } = await send<BatchExecuteStatementCommandOutput>(
    connection,
    'transition',
    'write',
    new BatchExecuteStatementCommand({
      Statements: batch.map(({ Statement, Parameters }) => ({ Statement, Parameters })),
    }),
  );
  const conflicts: Statement[] = [];
  for (const [position, statement] of batch.entries()) {
    const response = Responses[position];
    if (response === undefined) continue;
    if (response.Error === undefined) outcomes[statement.index] = { kind: 'committed' };
    else if (response.Error.Code === 'ConditionalCheckFailed') conflicts.push(statement);
  }
  if (conflicts.length > 0) await readConflicts(connection, conflicts, outcomes);
}

async function readConflicts(
  connection: Connection,
  conflicts: readonly Statement[],
  outcomes: (TransitionOutcome | undefined)[],
): Promise<void> {
  const keys = conflicts.map(({ task }) => taskKeyOf(task));
  const rows = await batchGet(connection, 'transition', connection.state, keys);
  const found = new Map(rows.map((row) => [`${String(row.pk)} ${String(row.sk)}`, row]));
  for (const [position, { index }] of conflicts.entries()) {
    const { pk, sk } = keys[position] as { pk: string; sk: string };
    const row = found.get(`${pk} ${sk}`);
    outcomes[index] = row ? { kind: 'conflict', current: decodeTask(row) } : { kind: 'conflict' };
  }
}
