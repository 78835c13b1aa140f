// Atomic write: a due index entry that came up too early moves to the row's deadline, or goes if the row has none.
//
// Preconditions  the row is the same task in the same state with the same history
// Items          1 task row (its entry in the due index)
// Outcomes       moved; if the row changed meanwhile nothing is written, and the next sweep sees it as it is
// Retry safety   a repeat writes the same
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Task } from '../../model/task.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderUpdate } from '../expression.ts';
import { dueKeysOf, taskKeyOf } from '../keys.ts';
import { historyUnchanged, stillInState } from '../task-update.ts';
import { whileBusy } from './while-busy.ts';

export async function deferDue(connection: Connection, task: Task): Promise<void> {
  const spec =
    task.deadlineAt === undefined
      ? { set: {}, remove: ['gt'] }
      : { set: dueKeysOf(task.taskId, task.deadlineAt), remove: [] };
  const command = () =>
    new UpdateCommand({
      TableName: connection.state,
      Key: taskKeyOf(task),
      ...renderUpdate(spec, [stillInState(task.taskId, task.state), historyUnchanged(task)]),
    });
  try {
    await whileBusy('deferDue', () => send(connection, 'deferDue', 'write', command()));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('deferDue', error);
  }
}
