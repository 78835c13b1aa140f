// Sends to SQS in batches that respect both bounds of one call: ten messages and 256 KiB.
import { randomUUID } from 'node:crypto';
import {
  type MessageAttributeValue,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { MessagePort, OutgoingMessage } from '../ports.ts';

const maxMessages = 10;
/** SQS counts the bodies of one call together; kept below 256 KiB for every implementation of the protocol. */
const maxBatchBytes = 250_000;
/** One call may accept some messages and refuse others; the refused are sent again this often. */
const attempts = 3;

/** MessagePort over one SQS client. */
export function createMessagePort(client: SQSClient): MessagePort {
  return {
    async send(queueUrl, messages) {
      for (const batch of batches(messages)) await sendBatch(client, queueUrl, batch);
    },
  };
}

/** Consecutive runs of messages that fit one call each. */
export function batches(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const result: OutgoingMessage[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.body);
    const last = result.at(-1);
    if (last && last.length < maxMessages && bytes + size <= maxBatchBytes) {
      last.push(message);
      bytes += size;
    } else {
      result.push([message]);
      bytes = size;
    }
  }
  return result;
}

async function sendBatch(
  client: SQSClient,
  queueUrl: string,
  messages: readonly OutgoingMessage[],
): Promise<void> {
  // The deduplication ids are made once, so that a repeated send of the same batch is one message, as it should be.
  let entries = messages.map(toEntry);
  let reason = '';
  for (let attempt = 0; attempt < attempts && entries.length > 0; attempt++) {
    const { Failed = [] } = await client.send(
      new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }),
    );
    const refused = new Set(Failed.map(({ Id }) => Id));
    entries = entries.filter(({ Id }) => refused.has(Id));
    reason = Failed[0]?.Message ?? Failed[0]?.Code ?? '';
  }
  if (entries.length === 0) return;
  throw new BorealisError(
    'UNAVAILABLE',
    `${entries.length} of ${messages.length} messages were refused by ${queueUrl} (${reason}); what caused them is stored, sending is tried again`,
  );
}

function toEntry(message: OutgoingMessage, index: number): SendMessageBatchRequestEntry {
  return {
    Id: String(index),
    MessageBody: message.body,
    ...(message.groupId !== undefined && {
      MessageGroupId: message.groupId,
      MessageDeduplicationId: message.deduplicationId ?? randomUUID(),
    }),
    ...(message.delaySeconds !== undefined && { DelaySeconds: message.delaySeconds }),
    ...(message.attributes && { MessageAttributes: attributesOf(message.attributes) }),
  };
}

/** SQS takes no control characters but tab and line ends, and no empty values. */
export function attributesOf(
  attributes: Readonly<Record<string, string>>,
): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => {
      // A text that was cut may end in half a character.
      const StringValue = value.toWellFormed().replaceAll(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '?') || '-';
      return [name, { DataType: 'String', StringValue }];
    }),
  );
}
