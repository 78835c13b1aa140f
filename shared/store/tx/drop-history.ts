// Atomic writes, one per task: the row of an ended task goes before its time.
//
// Preconditions  the row is this very task, in the terminal state it was read in, which it never leaves
// Items          1 task row each; an ended task is in no index, so a deletion is 1 write unit
// Outcomes       how many went; a row that is not as it was read stays
// Retry safety   a repeat finds nothing
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { BorealisError } from '../../lib/errors.ts';
import { isTerminal, type Task } from '../../model/task.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderConditions } from '../expression.ts';
import { mapLimit } from '../flow.ts';
import { taskKeyOf } from '../keys.ts';
import { stillInState } from '../task-update.ts';

const deletionsInFlight = 16;

/** INTERNAL, before anything is deleted, if one of them has not ended. */
export async function dropHistory(connection: Connection, tasks: readonly Task[]): Promise<number> {
  const live = tasks.find(({ state }) => !isTerminal(state));
  if (live) {
    throw new BorealisError('INTERNAL', `${live.taskId} is ${live.state}, not history; nothing was deleted`);
  }
  const gone = await mapLimit(tasks, deletionsInFlight, async (task) => {
    const { pk, sk } = taskKeyOf(task);
    const command = new DeleteCommand({
      TableName: connection.state,
      Key: { pk, sk },
      ...renderConditions([stillInState(task.taskId, task.state)]),
    });
    try {
      await send(connection, 'dropHistory', 'write', command);
      return 1;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return 0;
      throw storeError('dropHistory', error);
    }
  });
  return gone.reduce<number>((sum, one) => sum + one, 0);
}
