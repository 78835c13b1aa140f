// Failed messages come again soon: a message stays hidden for as long as its function may run, and in a FIFO queue it
// holds back its whole group for that long (150 s for a pool). So the function that failed shortens that itself, with growing pauses
// up to what the queue would have done. If this fails too, the queue's own time applies.
import { ChangeMessageVisibilityBatchCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Log } from '../ports.ts';

/** Makes these messages visible again after a pause that grows with how often they were received. Never throws. */
type Redelivery = (records: readonly SQSRecord[]) => Promise<void>;

const firstPauseSecs = 2;
const longestPauseSecs = 120;
const perRequest = 10;

/** Seconds until the next try of a message that was received so often: 2, 4, 8 ... 120. */
export function pauseSecs(received: number): number {
  return Math.min(longestPauseSecs, firstPauseSecs * 2 ** Math.min(30, Math.max(0, received - 1)));
}

export function createRedelivery(client: SQSClient, log: Log): Redelivery {
  const urls = new Map<string, string>();
  const urlOf = async (arn: string): Promise<string | undefined> => {
    const known = urls.get(arn);
    if (known !== undefined) return known;
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: arn.split(':').at(-1) }));
    if (QueueUrl !== undefined) urls.set(arn, QueueUrl);
    return QueueUrl;
  };
  return async (records) => {
    try {
      for (let start = 0; start < records.length; start += perRequest) {
        const part = records.slice(start, start + perRequest);
        const QueueUrl = await urlOf(part[0]?.eventSourceARN ?? '');
        const Entries = part.map(({ receiptHandle, attributes }, index) => ({
          Id: String(index),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: pauseSecs(Number(attributes?.ApproximateReceiveCount ?? 1)),
        }));
        await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
      }
    } catch (error) {
      log.warn('failed messages come again only after the time of their queue', { error });
    }
  };
}

/** The answer of a worker, once what it names as failed has been made to come again soon. */
export async function redelivered(
  { Records }: SQSEvent,
  answer: Promise<SQSBatchResponse>,
  redeliver: Redelivery,
): Promise<SQSBatchResponse> {
  const { batchItemFailures } = await answer;
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  if (failed.size > 0) await redeliver(Records.filter(({ messageId }) => failed.has(messageId)));
  return { batchItemFailures };
}
