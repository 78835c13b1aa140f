// The queue of heartbeats, emptied by the roll call instead of feeding a function: one call a minute takes what a call
// per message would cost a hundred times (ADR 0012).
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { chunks, mapLimit } from '../../shared/store/flow.ts';

/** One message as it was received. */
export interface QueuedHeartbeat {
  readonly body: string;
  /** When SQS took it, epoch ms. */
  readonly sentAt: number;
  /** Unique id of its sender; undefined if SQS did not say. */
  readonly sender: string | undefined;
  readonly receipt: string;
}

export interface HeartbeatQueue {
  /** Up to ten messages; none only if all of the queue was asked and nothing is there. */
  receive(): Promise<readonly QueuedHeartbeat[]>;
  /** Takes messages out for good. What can't be taken out comes again, which does no harm. */
  remove(receipts: readonly string[]): Promise<void>;
}

/** A short poll asks only some of the servers that hold a queue; a long one asks all, and waits only if it is empty. */
const waitSeconds = 1;
const perRequest = 10;
const removalsAtOnce = 16;

export function createHeartbeatQueue(client: SQSClient, queueUrl: string): HeartbeatQueue {
  return {
    async receive() {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: perRequest,
          WaitTimeSeconds: waitSeconds,
          MessageSystemAttributeNames: ['SentTimestamp', 'SenderId'],
        }),
      );
      return Messages.map(toHeartbeat);
    },
    async remove(receipts) {
      await mapLimit(chunks(receipts, perRequest), removalsAtOnce, async (part) => {
        const Entries = part.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
        await client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
      });
    },
  };
}

function toHeartbeat({ Body = '', Attributes, ReceiptHandle = '' }: Message): QueuedHeartbeat {
  return {
    body: Body,
    sentAt: Number(Attributes?.SentTimestamp ?? 0),
    sender: Attributes?.SenderId,
    receipt: ReceiptHandle,
  };
}
