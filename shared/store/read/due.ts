// The due index, which holds several kinds of entries, each in partitions of its own (keys.ts).
import type { Row } from '../codec/row.ts';
import type { Connection } from '../connection.ts';
import { dueBound } from '../keys.ts';
import { dueIndex } from '../tables.ts';
import { queryAll } from './query.ts';

export interface DueQuery {
  readonly shard: number;
  /** Epoch ms, inclusive. */
  readonly now: number;
  readonly limit: number;
}

/** The entries of one partition that are due, oldest first, up to the limit. The index may lag. */
export function dueEntries(
  connection: Connection,
  operation: string,
  partition: string,
  { now, limit }: Omit<DueQuery, 'shard'>,
): Promise<Row[]> {
  return queryAll(
    connection,
    operation,
    {
      TableName: connection.state,
      IndexName: dueIndex.name,
      KeyConditionExpression: '#shard = :shard AND #time < :bound',
      ExpressionAttributeNames: { '#shard': dueIndex.partitionKey, '#time': dueIndex.sortKey },
      ExpressionAttributeValues: { ':shard': partition, ':bound': dueBound(now) },
    },
    limit,
  );
}
