// Atomic write: who goes on with a sweep that ran out of time.
//
// Preconditions  the lease is the one it was made from (none, for the first)
// Items          1 row in the notes table; nothing while sweeps end in time
// Outcomes       committed | conflict: somebody else goes on
// Retry safety   a repeat after a lost answer is a conflict: at worst nobody goes on, and the lease ends by itself
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { sweepLeaseKey } from '../keys.ts';
import type { SweepLease } from '../port.ts';
import { ttlAttribute } from '../tables.ts';

export async function putSweepLease(
  connection: Connection,
  next: SweepLease | undefined,
  madeFrom: SweepLease | undefined,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const condition =
    madeFrom === undefined
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : {
          ConditionExpression: '#i = :i AND #n = :n AND #u = :u',
          ExpressionAttributeNames: { '#i': 'i', '#n': 'n', '#u': 'u' },
          ExpressionAttributeValues: { ':i': madeFrom.id, ':n': madeFrom.round, ':u': madeFrom.until },
        };
  const TableName = connection.notes;
  try {
    if (next === undefined) {
      const command = new DeleteCommand({ TableName, Key: sweepLeaseKey, ...condition });
      await send(connection, 'putSweepLease', 'write', command);
    } else {
      const { id: i, round: n, shards: s, until: u } = next;
      const Item = { ...sweepLeaseKey, i, n, s, u, [ttlAttribute]: Math.ceil(u / 1000) };
      await send(connection, 'putSweepLease', 'write', new PutCommand({ TableName, Item, ...condition }));
    }
    return { kind: 'committed' };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return { kind: 'conflict' };
    throw storeError('putSweepLease', error);
  }
}
