// Delivers one batch of stream records as Lambda does: again and again from the first record that failed, halved while a
// whole batch fails, until a record stands alone; one that keeps failing becomes a note in the dead-letter queue.
import { randomUUID } from 'node:crypto';
import type { DynamoDBRecord } from 'aws-lambda';
import type { EngineClient } from '../engines/aws-json.ts';
import type { StreamMappingPlan } from '../template/plan.ts';
import { backoffMs } from './backoff.ts';
import type { Invoker } from './invoker.ts';
import { allFailed, failedItems } from './partial-failures.ts';

export interface DeliveryOptions {
  readonly mapping: StreamMappingPlan;
  readonly shardId: string;
  readonly sqs: EngineClient;
  readonly invoker: Pick<Invoker, 'invoke'>;
  readonly log: (line: string) => void;
  readonly stopping: AbortSignal;
  /** Waits between tries. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

type Records = readonly DynamoDBRecord[];

const firstRetryMs = 50;
const maxRetryMs = 2_000;

/** Resolves true once every record is delivered or given up on; false if stopped before. */
export async function deliver(options: DeliveryOptions, records: Records): Promise<boolean> {
  let rest = records;
  let attempt = 0;
  while (rest.length > 0) {
    if (options.stopping.aborted) return false;
    const { failedFrom, whole } = await tryOnce(options, rest);
    if (failedFrom > 0) attempt = 0;
    rest = rest.slice(failedFrom);
    if (rest.length === 0) break;
    attempt++;
    if (options.mapping.bisect && rest.length > 1) {
      // A named failure is set apart at once; when nobody says which one it was, by halves.
      const apart = whole ? Math.ceil(rest.length / 2) : 1;
      await options.wait(firstRetryMs, options.stopping);
      if (!(await deliver(options, rest.slice(0, apart)))) return false;
      rest = rest.slice(apart);
      attempt = 0;
      continue;
    }
    const reason = exhausted(options.mapping, rest, attempt);
    if (reason !== undefined) return giveUp(options, rest, attempt, reason);
    await options.wait(backoffMs(attempt, firstRetryMs, maxRetryMs), options.stopping);
  }
  return true;
}

/** Calls the function. `failedFrom` = index of the first record that failed, the length if none did. */
async function tryOnce(
  { mapping, invoker }: DeliveryOptions,
  records: Records,
): Promise<{ readonly failedFrom: number; readonly whole: boolean }> {
  try {
    const result = await invoker.invoke(mapping.functionArn, { Records: records });
    if (!mapping.partialFailures) return { failedFrom: records.length, whole: false };
    const failed = failedItems(result, new Set(records.map(sequenceOf)));
    if (failed === allFailed) return { failedFrom: 0, whole: true };
    const first = records.findIndex((record) => failed.has(sequenceOf(record)));
    return { failedFrom: first < 0 ? records.length : first, whole: false };
  } catch {
    // The invoker has logged it.
    return { failedFrom: 0, whole: true };
  }
}

function sequenceOf(record: DynamoDBRecord): string {
  return record.dynamodb?.SequenceNumber ?? '';
}

type GiveUpReason = 'RetryAttemptsExhausted' | 'EventAgeExceeded';

function exhausted(mapping: StreamMappingPlan, records: Records, attempt: number): GiveUpReason | undefined {
  if (mapping.maxRetries >= 0 && attempt > mapping.maxRetries) return 'RetryAttemptsExhausted';
  const createdAtMs = arrivalOf(records[0]);
  if (mapping.maxRecordAgeMs >= 0 && Date.now() - createdAtMs > mapping.maxRecordAgeMs)
    return 'EventAgeExceeded';
  return undefined;
}

function arrivalOf(record: DynamoDBRecord | undefined): number {
  return (record?.dynamodb?.ApproximateCreationDateTime ?? 0) * 1000;
}

/** The note names the records, it does not hold them. Without a dead-letter queue a record is dropped, as in Lambda. */
async function giveUp(
  options: DeliveryOptions,
  records: Records,
  attempts: number,
  condition: GiveUpReason,
): Promise<boolean> {
  const { mapping, shardId, sqs, log, stopping } = options;
  const first = sequenceOf(records[0] as DynamoDBRecord);
  log(`stream of ${mapping.tableName}: gave up on record ${first} after ${attempts} attempts (${condition})`);
  if (!mapping.deadLetters) return true;
  const body = {
    requestContext: {
      requestId: randomUUID(),
      functionArn: mapping.functionArn,
      condition,
      approximateInvokeCount: attempts,
    },
    version: '1.0',
    timestamp: new Date().toISOString(),
    DDBStreamBatchInfo: {
      shardId,
      startSequenceNumber: first,
      endSequenceNumber: sequenceOf(records.at(-1) as DynamoDBRecord),
      approximateArrivalOfFirstRecord: new Date(arrivalOf(records[0])).toISOString(),
      approximateArrivalOfLastRecord: new Date(arrivalOf(records.at(-1))).toISOString(),
      batchSize: records.length,
      streamArn: mapping.streamArn,
    },
  };
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await sqs.call('SendMessage', { QueueUrl: mapping.deadLetters.url, MessageBody: JSON.stringify(body) });
      return true;
    } catch (error) {
      log(`stream of ${mapping.tableName}: the dead-letter note was not taken: ${(error as Error).message}`);
      await options.wait(backoffMs(attempt, firstRetryMs, maxRetryMs), stopping);
    }
  }
  return false;
}
