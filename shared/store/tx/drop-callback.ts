// Atomic write: what an update's execution waited with is forgotten.
//
// Preconditions  it is still the same token
// Items          1 row of the notes table
// Outcomes       dropped, or another has taken its place
// Retry safety   a repeat finds nothing, or another
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { callbackKeyOf } from '../keys.ts';
import type { UpdateCallback } from '../port.ts';

export async function dropCallback(
  connection: Connection,
  { updateId, taskToken }: UpdateCallback,
): Promise<void> {
  const command = new DeleteCommand({
    TableName: connection.notes,
    Key: callbackKeyOf(updateId),
    ConditionExpression: '#token = :token',
    ExpressionAttributeNames: { '#token': 'tk' },
    ExpressionAttributeValues: { ':token': taskToken },
  });
  try {
    await send(connection, 'dropCallback', 'write', command);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('dropCallback', error);
  }
}
