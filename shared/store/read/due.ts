// The due index, which holds several kinds of entries, each in partitions of its own (keys.ts).
import type { Row } from '../codec/row.ts';
import type { Connection } from '../connection.ts';
import { dueBound } from '../keys.ts';
import { dueIndex } from '../tables.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { queryAll } from './query.ts';

export interface DueQuery {
  readonly shard: number;
  /** Epoch ms, inclusive. */
  readonly now: number;
  readonly limit: number;
  /** Of the page before. */
  readonly cursor?: string;
}

/** Where the next page begins; undefined if these entries are the last. */
export function cursorAfter(entries: readonly Row[], limit: number): string | undefined {
  const last = entries.at(-1);
  if (last === undefined || entries.length < limit) return undefined;
  return encodeCursor([String(last.gt), String(last.pk), String(last.sk)]);
}

/** The entries of one partition that are due, oldest first, up to the limit. The index may lag. */
export function dueEntries(
  connection: Connection,
  operation: string,
  partition: string,
  { now, limit, cursor }: Omit<DueQuery, 'shard'>,
): Promise<Row[]> {
  const [gt, pk, sk] = cursor === undefined ? [] : decodeCursor(cursor, 3);
  return queryAll(
    connection,
    operation,
    {
      TableName: connection.state,
      IndexName: dueIndex.name,
      KeyConditionExpression: '#shard = :shard AND #time < :bound',
      ExpressionAttributeNames: { '#shard': dueIndex.partitionKey, '#time': dueIndex.sortKey },
      ExpressionAttributeValues: { ':shard': partition, ':bound': dueBound(now) },
      ...(cursor !== undefined && { ExclusiveStartKey: { gd: partition, gt, pk, sk } }),
    },
    limit,
  );
}
