// Reads of the notes table: when agents were seen, why tasks wait.
import type { JobKey } from '../../model/job-key.ts';
import type { PendingReason } from '../../model/reason.ts';
import { jsonOf } from '../codec/row.ts';
import type { Connection } from '../connection.ts';
import { reasonsPartition, seenKeyOf } from '../keys.ts';
import { ttlAttribute } from '../tables.ts';
import { batchGet, queryAll } from './query.ts';

/** Epoch ms by agent; agents never seen are left out. */
export async function lastSeen(
  connection: Connection,
  agentIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await batchGet(connection, 'lastSeen', connection.notes, agentIds.map(seenKeyOf));
  const at = new Map(rows.map((row) => [row.pk, row.at as number]));
  return new Map(
    agentIds.flatMap((agentId) => {
      const seen = at.get(seenKeyOf(agentId).pk);
      return seen === undefined ? [] : [[agentId, seen] as const];
    }),
  );
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
