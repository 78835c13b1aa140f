// Atomic write: an agent was seen.
//
// Preconditions  the stored time is older (queues deliver out of order)
// Items          1 row in the notes table, which has no stream: heartbeats wake nobody
// Outcomes       written, or a later one was there already
// Retry safety   a repeat changes nothing
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { seenKeyOf } from '../keys.ts';
import { ttlAttribute } from '../tables.ts';

/** Long after anybody would still ask when a vanished agent was last seen. */
const heartbeatLifeMs = 30 * 24 * 3600_000;

/** `at`: epoch ms. */
export async function putHeartbeat(
  connection: Connection,
  heartbeat: { readonly agentId: string; readonly sessionId: string; readonly at: number },
): Promise<void> {
  const { agentId, sessionId, at } = heartbeat;
  try {
    await send(
      connection,
      'heartbeat',
      'write',
      new PutCommand({
        TableName: connection.notes,
        Item: {
          ...seenKeyOf(agentId),
          at,
          session: sessionId,
          [ttlAttribute]: Math.floor((at + heartbeatLifeMs) / 1000),
        },
        ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':at': at },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('heartbeat', error);
  }
}
