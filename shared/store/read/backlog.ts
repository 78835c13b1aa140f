// How much work is waiting, for those who must decide whether to take on more. Bounded: a count costs no more than the
// limit it is compared with, however much waits.
import type { Connection } from '../connection.ts';
import { dueShards, pendingPartition, pendingShards, unreconciledPartition } from '../keys.ts';
import { dueIndex, type IndexDefinition, pendingIndex } from '../tables.ts';
import { countAll } from './query.ts';

/** Up to here all shards are counted; above, one stands for all, which is off by 1% at 100,000. */
const exactUpTo = 2_000;

/** See `Store.countBacklog`. Index reads: they may lag by a moment. */
export async function countBacklog(
  connection: Connection,
  pool: string,
  enough: number,
): Promise<{ tasks: number; jobs: number }> {
  const [tasks, jobs] = await Promise.all([
    countShards(connection, pendingIndex, pendingShards, enough, (shard) => pendingPartition(pool, shard)),
    countShards(connection, dueIndex, dueShards, enough, unreconciledPartition),
  ]);
  return { tasks, jobs };
}

async function countShards(
  connection: Connection,
  index: IndexDefinition,
  shards: number,
  enough: number,
  partitionOf: (shard: number) => string,
): Promise<number> {
  const isExact = enough <= exactUpTo;
  const counted = isExact ? shards : 1;
  const limit = isExact ? enough : Math.ceil(enough / shards);
  const counts = await Promise.all(
    Array.from({ length: counted }, (_, shard) =>
      countAll(
        connection,
        'countBacklog',
        {
          TableName: connection.state,
          IndexName: index.name,
          KeyConditionExpression: '#shard = :shard',
          ExpressionAttributeNames: { '#shard': index.partitionKey },
          ExpressionAttributeValues: { ':shard': partitionOf(shard) },
        },
        limit,
      ),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0) * (shards / counted);
}
