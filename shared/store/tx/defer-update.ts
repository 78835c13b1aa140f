// Atomic write: the sweeper has looked at an update's execution and looks again later.
//
// Preconditions  the update is still driven by the execution that was looked at
// Items          1 row (its entry in the due index)
// Outcomes       deferred, or left to whoever wrote it
// Retry safety   a repeat writes the same
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderUpdate } from '../expression.ts';
import { updateDueKeysOf, updateKeyOf } from '../keys.ts';
import type { StoredUpdate } from '../port.ts';

export async function deferUpdate(
  connection: Connection,
  { update, sequence }: StoredUpdate,
  at: number,
): Promise<void> {
  const { gt } = updateDueKeysOf(update, update.updateId, at);
  // Only while it is in the index: an update that stopped meanwhile must not come back into it.
  const condition = {
    text: '#q = :q AND attribute_exists(#gd)',
    names: { '#q': 'q', '#gd': 'gd' },
    values: { ':q': sequence },
  };
  const command = new UpdateCommand({
    TableName: connection.state,
    Key: updateKeyOf(update, update.updateId),
    ...renderUpdate({ set: { gt }, remove: [] }, [condition]),
  });
  try {
    await send(connection, 'deferUpdate', 'write', command);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('deferUpdate', error);
  }
}
