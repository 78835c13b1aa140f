// Atomic write: news of the way that changes and reports take.
//
// Preconditions  what is noted of each kind is older, or nothing
// Items          1 row in the notes table, once for each kind of news
// Outcomes       noted; what is as new already is left
// Retry safety   a repeat writes nothing
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Passage } from '../../model/passage.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { passageKey } from '../keys.ts';

export async function notePassage(connection: Connection, { probedAt, lateAt }: Passage): Promise<void> {
  if (lateAt !== undefined) await raise(connection, 'la', lateAt);
  if (probedAt !== undefined) await raise(connection, 'pr', probedAt);
}

async function raise(connection: Connection, attribute: 'la' | 'pr', at: number): Promise<void> {
  const command = new UpdateCommand({
    TableName: connection.notes,
    Key: passageKey,
    UpdateExpression: 'SET #a = :at',
    ConditionExpression: 'attribute_not_exists(#a) OR #a < :at',
    ExpressionAttributeNames: { '#a': attribute },
    ExpressionAttributeValues: { ':at': at },
  });
  try {
    await send(connection, 'notePassage', 'write', command);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('notePassage', error);
  }
}
