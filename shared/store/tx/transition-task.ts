// Atomic write: one task changes state, or its row is deleted.
//
// Preconditions  the row is the same task, in the state it was read in, with the history it was read with
// Items          1 task row (and its entries in the sparse indexes)
// Outcomes       committed | conflict with the row as it is now (absent: gone)
// Retry safety   a repeat after a lost answer finds the state changed: conflict, and the caller sees its own change
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Task } from '../../model/task.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderConditions, renderUpdate } from '../expression.ts';
import { taskKeyOf } from '../keys.ts';
import type { TransitionOutcome } from '../port.ts';
import { historyUnchanged, stillInState, updateOf } from '../task-update.ts';
import { conflictWith } from './conflict.ts';
import { whileBusy } from './while-busy.ts';

/** Writes `next`, or deletes the row if it is absent. */
export async function transitionTask(
  connection: Connection,
  input: { readonly task: Task; readonly next: Task | undefined; readonly historyMs: number },
): Promise<TransitionOutcome> {
  const { task, next } = input;
  const { pk, sk } = taskKeyOf(task);
  const conditions = [stillInState(task.taskId, task.state), historyUnchanged(task)];
  const target = {
    TableName: connection.state,
    Key: { pk, sk },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
  const command = () =>
    next === undefined
      ? new DeleteCommand({ ...target, ...renderConditions(conditions) })
      : new UpdateCommand({ ...target, ...renderUpdate(updateOf(task, next, input.historyMs), conditions) });
  try {
    await whileBusy('transition', () => send(connection, 'transition', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return conflictWith(error.Item);
    throw storeError('transition', error);
  }
}
