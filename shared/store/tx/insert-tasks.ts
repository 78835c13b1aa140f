// Atomic writes, one per task: a row that doesn't exist yet is inserted.
//
// Preconditions  per task: no row has its key (PartiQL INSERT refuses with DuplicateItem)
// Items          1 task row each; 25 statements a request, each by itself, at 1 write unit per KB (a transaction: 2)
// Outcomes       the ids whose key was taken; their rows are left as they are
// Retry safety   repeat freely: whatever was inserted before comes back as existing
import type { BatchStatementErrorCodeEnum } from '@aws-sdk/client-dynamodb';
import { BatchExecuteStatementCommand, type BatchExecuteStatementCommandOutput } from '@aws-sdk/lib-dynamodb';
import { BorealisError } from '../../lib/errors.ts';
import type { Task } from '../../model/task.ts';
import { encodeTask } from '../codec/task-row.ts';
import { type Connection, send } from '../connection.ts';
import { backOff, chunks, mapLimit, maxTries } from '../flow.ts';

const statementsPerBatch = 25;
const batchesInFlight = 4;

/** Answers the ids of tasks that were there already. */
export async function insertTasks(
  connection: Connection,
  input: { readonly tasks: readonly Task[]; readonly historyMs: number },
): Promise<{ readonly existing: readonly string[] }> {
  const batches = chunks(input.tasks, statementsPerBatch);
  const existing = await mapLimit(batches, batchesInFlight, (batch) =>
    insertBatch(connection, batch, input.historyMs),
  );
  return { existing: existing.flat() };
}

async function insertBatch(
  connection: Connection,
  tasks: readonly Task[],
  historyMs: number,
): Promise<string[]> {
  const existing: string[] = [];
  let left = tasks;
  for (let attempt = 1; left.length > 0; attempt++) {
    const { Responses = [] } = await send<BatchExecuteStatementCommandOutput>(
      connection,
      'insertTasks',
      'write',
      new BatchExecuteStatementCommand({
        Statements: left.map((task) => statement(connection, task, historyMs)),
      }),
    );
    const again: Task[] = [];
    for (const [index, task] of left.entries()) {
      const error = Responses[index]?.Error;
      if (error === undefined) continue;
      if (error.Code === 'DuplicateItem') existing.push(task.taskId);
      else if (passing(error.Code) && attempt < maxTries) again.push(task);
      else throw refused(task, error.Code, error.Message);
    }
    left = again;
    if (left.length > 0) await backOff(attempt);
  }
  return existing;
}

function statement(connection: Connection, task: Task, historyMs: number) {
  const row = encodeTask(task, historyMs);
  const fields = Object.keys(row).map((name) => `'${name}': ?`);
  return {
    Statement: `INSERT INTO "${connection.state}" VALUE {${fields.join(', ')}}`,
    Parameters: Object.values(row),
  };
}

const passingCodes: ReadonlySet<string> = new Set<BatchStatementErrorCodeEnum>([
  'InternalServerError',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
  'ThrottlingError',
  'TransactionConflict',
]);

function passing(code: string | undefined): boolean {
  return code !== undefined && passingCodes.has(code);
}

function refused(task: Task, code: string | undefined, message: string | undefined): BorealisError {
  return new BorealisError(
    passing(code) ? 'THROTTLED' : 'INTERNAL',
    `task ${task.taskId} was not inserted (${code}: ${message}); others of the same request may have been. ` +
      'Repeating the request is safe.',
    { details: { taskId: task.taskId, code } },
  );
}
