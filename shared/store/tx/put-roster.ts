// Atomic write: what the roll call made of the roster.
//
// Preconditions  the stored roster is the one it was made from (none, for the first)
// Items          1 row in the notes table, which has no stream: being heard wakes nobody
// Outcomes       committed | conflict: another roll call was first, read the roster again
// Retry safety   a repeat after a lost answer is a conflict; calling the roll again with the same heartbeats changes nothing
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Roster } from '../../model/roster.ts';
import { encodeRoster } from '../codec/roster-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';

export async function putRoster(
  connection: Connection,
  roster: Roster,
  madeFrom: number | undefined,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const condition =
    madeFrom === undefined
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : {
          ConditionExpression: '#v = :read',
          ExpressionAttributeNames: { '#v': 'v' },
          ExpressionAttributeValues: { ':read': madeFrom },
        };
  try {
    const command = new PutCommand({ TableName: connection.notes, Item: encodeRoster(roster), ...condition });
    await send(connection, 'putRoster', 'write', command);
    return { kind: 'committed' };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return { kind: 'conflict' };
    throw storeError('putRoster', error);
  }
}
