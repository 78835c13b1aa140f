// Atomic write: a task ends and the next generation of its instance begins (design D5).
//
// Preconditions  the row is the same task, in the state and with the history it was read with; no row has the
//                successor's key
// Items          2 task rows
// Outcomes       committed | conflict with the predecessor's row as it is now
//                If only the successor's key is taken, the replacement has already been made: the predecessor's change
//                is then written alone, so that it can't hang in its state for ever.
// Retry safety   the successor's key follows from the predecessor's, so no repeat can make a second one
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Task } from '../../model/task.ts';
import { encodeTask } from '../codec/task-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderUpdate } from '../expression.ts';
import { taskKeyOf } from '../keys.ts';
import type { TransitionOutcome } from '../port.ts';
import { historyUnchanged, stillInState, updateOf } from '../task-update.ts';
import { conflictWith } from './conflict.ts';
import { transitionTask } from './transition-task.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

interface ReplaceInput {
  readonly task: Task;
  readonly next: Task;
  readonly successor: Task;
  readonly historyMs: number;
}

export async function replaceTask(connection: Connection, input: ReplaceInput): Promise<TransitionOutcome> {
  try {
    await whileBusy('replace', () => send(connection, 'replace', 'write', replaceCommand(connection, input)));
    return { kind: 'committed' };
  } catch (error) {
    const [predecessor, successor] = cancellationReasons('replace', error);
    if (predecessor?.Code === 'ConditionalCheckFailed') return conflictWith(predecessor.Item);
    if (successor?.Code === 'ConditionalCheckFailed') return transitionTask(connection, input);
    throw storeError('replace', error);
  }
}

function replaceCommand(connection: Connection, input: ReplaceInput): TransactWriteCommand {
  const { task, next, successor, historyMs } = input;
  const update = renderUpdate(updateOf(task, next, historyMs), [
    stillInState(task.taskId, task.state),
    historyUnchanged(task),
  ]);
  return new TransactWriteCommand({
    TransactItems: [
      {
        Update: {
          TableName: connection.state,
          Key: taskKeyOf(task),
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          ...update,
        },
      },
      {
        Put: {
          TableName: connection.state,
          Item: encodeTask(successor, historyMs),
          ConditionExpression: 'attribute_not_exists(pk)',
        },
      },
    ],
  });
}
