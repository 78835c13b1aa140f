// One batch of the table's stream: decode, derive, carry out, and name the first record that must be sent again.
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { lateAfterMs } from '../../shared/model/passage.ts';
import type { StreamChange } from '../../shared/store/port.ts';
import type { Lateness } from '../lateness.ts';
import { carryOut, type Due, type FanoutDeps } from './carry-out.ts';
import { deriveEffects } from './derive.ts';

export interface ProcessBatchDeps extends FanoutDeps {
  readonly lateness: Lateness;
  readonly decode: (record: DynamoDBRecord) => StreamChange;
}

/**
 * For a stream the answer holds at most one failure: Lambda takes its sequence number as the point to go on from, so
 * that record and all later ones come again. A record that can't be decoded fails by itself; halving the batch
 * isolates it until it ends in the dead-letter queue, while the records beside it have had their effects.
 */
export async function processBatch(
  event: DynamoDBStreamEvent,
  deps: ProcessBatchDeps,
): Promise<DynamoDBBatchResponse> {
  const failed = new Set<number>();
  const due: Due[] = [];
  const now = deps.clock();
  let ageMs = 0;
  for (const [index, record] of event.Records.entries()) {
    try {
      const effects = deriveEffects(deps.decode(record), deps.cluster, timeOf(record) ?? now);
      if (effects.length > 0) ageMs = Math.max(ageMs, now - (timeOf(record) ?? now));
      for (const effect of effects) due.push({ record: index, effect });
    } catch (error) {
      failed.add(index);
      deps.log.error('a stream record cannot be read; it ends in the dead-letter queue', {
        sequenceNumber: record.dynamodb?.SequenceNumber,
        error,
      });
    }
  }
  // Noted first, so that nobody takes a launch that goes out only now for one the agent has known for long.
  if (ageMs > lateAfterMs) await deps.lateness('changes', ageMs);
  for (const index of await carryOut(due, deps)) failed.add(index);
  if (failed.size === 0) return { batchItemFailures: [] };
  const first = Math.min(...failed);
  const itemIdentifier = event.Records[first]?.dynamodb?.SequenceNumber ?? '';
  return { batchItemFailures: [{ itemIdentifier }] };
}

/** When the change was made, epoch ms in whole seconds: the same however often the record comes. */
function timeOf({ dynamodb }: DynamoDBRecord): number | undefined {
  const seconds = dynamodb?.ApproximateCreationDateTime;
  return seconds === undefined ? undefined : seconds * 1000;
}
