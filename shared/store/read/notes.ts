// Reads of the notes table: when agents were heard, why tasks wait.
import { GetCommand, type GetCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import type { PendingReason } from '../../model/reason.ts';
import type { Roster } from '../../model/roster.ts';
import { decodeRoster } from '../codec/roster-row.ts';
import { jsonOf } from '../codec/row.ts';
import { type Connection, send } from '../connection.ts';
import { reasonsPartition, rosterKey } from '../keys.ts';
import { ttlAttribute } from '../tables.ts';
import { queryAll } from './query.ts';

/** Undefined until the first roll call. A stale one is enough for all but the roll call itself. */
export async function getRoster(connection: Connection, isConsistent: boolean): Promise<Roster | undefined> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getRoster',
    'read',
    new GetCommand({ TableName: connection.notes, Key: rosterKey, ConsistentRead: isConsistent }),
  );
  return Item && decodeRoster(Item);
}

/** By config id; expired verdicts are left out even while DynamoDB still has them. `now`: epoch ms. */
export async function getReasons(
  connection: Connection,
  key: JobKey,
  now: number,
): Promise<ReadonlyMap<string, PendingReason>> {
  const rows = await queryAll(connection, 'getReasons', {
    TableName: connection.notes,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': reasonsPartition(key) },
  });
  return new Map(
    rows
      .filter((row) => (row[ttlAttribute] as number) * 1000 > now)
      .map((row) => [row.sk as string, jsonOf(row, 'j', 'pending reason') as PendingReason]),
  );
}
