// Reads of the notes table: when agents were heard, why tasks wait, what the sweeper remembers.
import { GetCommand, type GetCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import type { Passage } from '../../model/passage.ts';
import type { PendingReason } from '../../model/reason.ts';
import type { Roster } from '../../model/roster.ts';
import { decodeRoster } from '../codec/roster-row.ts';
import { jsonOf, numberOf, stringOf } from '../codec/row.ts';
import { type Connection, send } from '../connection.ts';
import { passageKey, reasonsPartition, rosterKey, suspicionsPartition, sweepLeaseKey } from '../keys.ts';
import type { LedgerSuspicion, SweepLease } from '../port.ts';
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

export async function getPassage(connection: Connection): Promise<Passage> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getPassage',
    'read',
    new GetCommand({ TableName: connection.notes, Key: passageKey, ConsistentRead: true }),
  );
  if (!Item) return {};
  return {
    ...(Item.pr !== undefined && { probedAt: numberOf(Item, 'pr', 'passage') }),
    ...(Item.la !== undefined && { lateAt: numberOf(Item, 'la', 'passage') }),
  };
}

export async function getSweepLease(connection: Connection): Promise<SweepLease | undefined> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getSweepLease',
    'read',
    new GetCommand({ TableName: connection.notes, Key: sweepLeaseKey, ConsistentRead: true }),
  );
  if (!Item) return undefined;
  return {
    id: stringOf(Item, 'i', 'lease of a sweep'),
    round: numberOf(Item, 'n', 'lease of a sweep'),
    shards: Item.s as number[],
    until: numberOf(Item, 'u', 'lease of a sweep'),
  };
}

/** By agent, those that are suspected for longest first. */
export async function listSuspicions(connection: Connection): Promise<Map<string, LedgerSuspicion>> {
  const rows = await queryAll(connection, 'listSuspicions', {
    TableName: connection.notes,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': suspicionsPartition },
  });
  const suspicions = rows.map(
    (row) => [String(row.sk), { live: row.l as string[], since: numberOf(row, 'at', 'suspicion') }] as const,
  );
  return new Map(suspicions.sort(([, one], [, other]) => one.since - other.since));
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
