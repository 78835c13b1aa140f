// Writes, each by itself: why the tasks of a job and config wait.
//
// Preconditions  none; the last verdict wins
// Items          1 row in the notes table per job and config
// Outcomes       written, or given up after a few tries: a verdict is a convenience and the next round writes it again
// Retry safety   a repeat writes the same
import { BatchWriteCommand, type BatchWriteCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import type { PendingReason } from '../../model/reason.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { backOff, chunks, mapLimit } from '../flow.ts';
import { reasonsPartition } from '../keys.ts';
import { ttlAttribute } from '../tables.ts';

const reasonLifeMs = 3600_000;
const rowsPerBatch = 25;
const batchesInFlight = 4;
const tries = 3;

export interface ReasonRow {
  readonly key: JobKey;
  readonly configId: string;
  readonly reason: PendingReason;
}

export async function putReasons(connection: Connection, reasons: readonly ReasonRow[]): Promise<void> {
  // One request must not name a row twice.
  const rows = new Map(
    reasons.map(({ key, configId, reason }) => {
      const pk = reasonsPartition(key);
      const expiresAt = Math.floor((reason.at + reasonLifeMs) / 1000);
      return [
        `${pk} ${configId}`,
        { pk, sk: configId, j: JSON.stringify(reason), [ttlAttribute]: expiresAt },
      ];
    }),
  );
  await mapLimit(chunks([...rows.values()], rowsPerBatch), batchesInFlight, (part) =>
    putBatch(connection, part),
  );
}

async function putBatch(
  connection: Connection,
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  let requests: NonNullable<BatchWriteCommandOutput['UnprocessedItems']>[string] | undefined = rows.map(
    (row) => ({
      PutRequest: { Item: row },
    }),
  );
  for (let attempt = 1; requests !== undefined && requests.length > 0 && attempt <= tries; attempt++) {
    if (attempt > 1) await backOff(attempt);
    try {
      const output: BatchWriteCommandOutput = await send(
        connection,
        'putReasons',
        'write',
        new BatchWriteCommand({ RequestItems: { [connection.notes]: requests } }),
      );
      requests = output.UnprocessedItems?.[connection.notes];
    } catch (error) {
      throw storeError('putReasons', error);
    }
  }
}
