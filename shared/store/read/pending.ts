// Reads of waiting tasks through the pending index: one sorted list out of its shards.
import type { Row } from '../codec/row.ts';
import { decodePendingRow } from '../codec/task-row.ts';
import type { Connection } from '../connection.ts';
import { pendingPartition, pendingShards, poolsPartition } from '../keys.ts';
import type { PendingRow, SetAside } from '../port.ts';
import { pendingIndex } from '../tables.ts';
import { countAll, queryAll, queryPage } from './query.ts';
import { decodeAll } from './readable.ts';

const smallestPage = 50;
const largestPage = 2_000;

/** One shard's entries in order, read page by page. */
interface Shard {
  readonly pk: string;
  rows: readonly Row[];
  position: number;
  next: Record<string, unknown> | undefined;
  done: boolean;
}

export async function listPending(
  connection: Connection,
  pool: string,
  limit: number,
  aside?: SetAside,
): Promise<PendingRow[]> {
  const pageSize = Math.min(largestPage, Math.max(smallestPage, Math.ceil((limit / pendingShards) * 1.25)));
  const shards = Array.from({ length: pendingShards }, (_, shard): Shard => {
    return { pk: pendingPartition(pool, shard), rows: [], position: 0, next: undefined, done: false };
  });
  const merged: Row[] = [];
  while (merged.length < limit) {
    await Promise.all(shards.filter(isEmpty).map((shard) => refill(connection, shard, pageSize)));
    const before = merged.length;
    takeInOrder(shards, merged, limit);
    if (merged.length === before) break;
  }
  return decodeAll(merged, decodePendingRow, aside);
}

function isEmpty(shard: Shard): boolean {
  return !shard.done && shard.position >= shard.rows.length;
}

/** A page may be empty and yet not the last. */
async function refill(connection: Connection, shard: Shard, pageSize: number): Promise<void> {
  while (isEmpty(shard)) {
    const page = await queryPage(connection, 'listPending', {
      TableName: connection.state,
      IndexName: pendingIndex.name,
      KeyConditionExpression: '#shard = :shard',
      ExpressionAttributeNames: { '#shard': pendingIndex.partitionKey },
      ExpressionAttributeValues: { ':shard': shard.pk },
      Limit: pageSize,
      ...(shard.next && { ExclusiveStartKey: shard.next }),
    });
    shard.rows = page.rows;
    shard.position = 0;
    shard.next = page.next;
    shard.done = page.next === undefined;
  }
}

/** Takes the smallest head again and again until a shard with more pages has run dry. */
function takeInOrder(shards: readonly Shard[], merged: Row[], limit: number): void {
  while (merged.length < limit && !shards.some(isEmpty)) {
    let first: Shard | undefined;
    for (const shard of shards) {
      if (shard.position < shard.rows.length && (first === undefined || headOf(shard) < headOf(first)))
        first = shard;
    }
    if (first === undefined) return;
    merged.push(first.rows[first.position++] as Row);
  }
}

function headOf(shard: Shard): string {
  return shard.rows[shard.position]?.[pendingIndex.sortKey] as string;
}

/** Counts without reading the rows out; costs the same read units as listing them. */
export async function countPending(connection: Connection, pool: string): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: pendingShards }, (_, shard) =>
      countAll(connection, 'countPending', {
        TableName: connection.state,
        IndexName: pendingIndex.name,
        KeyConditionExpression: '#shard = :shard',
        ExpressionAttributeNames: { '#shard': pendingIndex.partitionKey },
        ExpressionAttributeValues: { ':shard': pendingPartition(pool, shard) },
      }),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Of the pools that ever had a task, those with a waiting one: one entry read per shard. */
export async function pendingPools(connection: Connection): Promise<string[]> {
  const known = await queryAll(connection, 'pendingPools', {
    TableName: connection.notes,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': poolsPartition },
  });
  const pools = known.map((row) => row.sk as string);
  const waiting = await Promise.all(pools.map((pool) => hasPending(connection, pool)));
  return pools.filter((_pool, index) => waiting[index]);
}

async function hasPending(connection: Connection, pool: string): Promise<boolean> {
  const shards = Array.from({ length: pendingShards }, (_, shard) => pendingPartition(pool, shard));
  const pages = await Promise.all(
    shards.map((pk) =>
      queryPage(connection, 'pendingPools', {
        TableName: connection.state,
        IndexName: pendingIndex.name,
        KeyConditionExpression: '#shard = :shard',
        ExpressionAttributeNames: { '#shard': pendingIndex.partitionKey },
        ExpressionAttributeValues: { ':shard': pk },
        Limit: 1,
      }),
    ),
  );
  return pages.some(({ rows }) => rows.length > 0);
}
