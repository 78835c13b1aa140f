// The event source mapping of a queue: receives, calls the function, deletes what succeeded, gives back what failed. The
// engine keeps message groups in order and moves a message to the dead-letter queue once it was received too often.
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { type EngineClient, EngineError } from '../engines/aws-json.ts';
import type { QueueMappingPlan } from '../template/plan.ts';
import { backoffMs, pause } from './backoff.ts';
import type { Invoker } from './invoker.ts';
import { allFailed, failedItems } from './partial-failures.ts';

export interface QueuePollerOptions {
  readonly mapping: QueueMappingPlan;
  readonly sqs: EngineClient;
  readonly invoker: Pick<Invoker, 'invoke'>;
  readonly region: string;
  readonly log: (line: string) => void;
}

export interface Poller {
  /** Takes nothing more and resolves when what it works on is done. */
  stop(): Promise<void>;
}

interface Message {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes?: Readonly<Record<string, string>>;
  readonly MessageAttributes?: SQSRecord['messageAttributes'];
}

const receiversPerQueue = 4;
const longPollSeconds = 20;
const maxPerReceive = 10;
const engineRetryMs = 200;
/**
 * A failed message comes back after this, doubling, at most the queue's visibility timeout. Lambda waits out that timeout
 * every time, which on a developer's machine would only be waiting.
 */
const firstRedeliveryMs = 200;

/** Starts the receivers of one queue. */
export function startQueuePoller(options: QueuePollerOptions): Poller {
  const stopping = new AbortController();
  const receivers = Math.min(options.mapping.maxConcurrency ?? receiversPerQueue, receiversPerQueue);
  const loops = Array.from({ length: receivers }, () => receiveLoop(options, stopping.signal));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function receiveLoop(options: QueuePollerOptions, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    let messages: readonly Message[];
    try {
      messages = await receiveBatch(options, stopping);
    } catch (error) {
      if (stopping.aborted) return;
      // The engine is restarting, or the queue is being made again after that.
      if (error instanceof EngineError) options.log(`queue ${options.mapping.queue.name}: ${error.message}`);
      await pause(engineRetryMs, stopping);
      continue;
    }
    if (messages.length > 0) await work(options, messages);
  }
}

/** One long poll; then, while more is waiting and fits the batch, further receives that do not wait. */
async function receiveBatch(options: QueuePollerOptions, stopping: AbortSignal): Promise<readonly Message[]> {
  const { batchSize, windowMs } = options.mapping;
  const until = performance.now() + windowMs;
  const batch: Message[] = [];
  let waitSeconds = longPollSeconds;
  while (batch.length < batchSize && !stopping.aborted) {
    const want = Math.min(maxPerReceive, batchSize - batch.length);
    const received = await receive(options, want, waitSeconds, stopping).catch((error: unknown) => {
      // What was received before must still be worked on.
      if (batch.length === 0) throw error;
      return [];
    });
    batch.push(...received);
    const windowLeftMs = until - performance.now();
    if (received.length < want && windowLeftMs < 1000) break;
    waitSeconds = received.length < want ? Math.floor(windowLeftMs / 1000) : 0;
  }
  return batch;
}

async function receive(
  { mapping, sqs }: QueuePollerOptions,
  max: number,
  waitSeconds: number,
  stopping: AbortSignal,
): Promise<readonly Message[]> {
  const { Messages = [] } = await sqs.call<{ Messages?: Message[] }>(
    'ReceiveMessage',
    {
      QueueUrl: mapping.queue.url,
      MaxNumberOfMessages: max,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    },
    stopping,
  );
  return Messages;
}

async function work(options: QueuePollerOptions, messages: readonly Message[]): Promise<void> {
  const { mapping, invoker } = options;
  const known = new Set(messages.map(({ MessageId }) => MessageId));
  let failed: ReadonlySet<string>;
  try {
    const result = await invoker.invoke(mapping.functionArn, sqsEvent(options, messages));
    const reported = mapping.partialFailures ? failedItems(result, known) : new Set<string>();
    failed = reported === allFailed ? known : reported;
  } catch {
    // The invoker has logged it.
    failed = known;
  }
  const done = messages.filter(({ MessageId }) => !failed.has(MessageId));
  const again = messages.filter(({ MessageId }) => failed.has(MessageId));
  await Promise.all([remove(options, done), giveBack(options, again)]);
}

/** If this fails the messages come again after the visibility timeout, which every handler must bear anyway. */
async function remove(
  { mapping, sqs, log }: QueuePollerOptions,
  messages: readonly Message[],
): Promise<void> {
  for (let start = 0; start < messages.length; start += maxPerReceive) {
    const entries = messages.slice(start, start + maxPerReceive).map(({ ReceiptHandle }, index) => ({
      Id: String(index),
      ReceiptHandle,
    }));
    await sqs
      .call('DeleteMessageBatch', { QueueUrl: mapping.queue.url, Entries: entries })
      .catch((error: Error) =>
        log(`queue ${mapping.queue.name}: messages could not be deleted: ${error.message}`),
      );
  }
}

async function giveBack({ mapping, sqs }: QueuePollerOptions, messages: readonly Message[]): Promise<void> {
  await Promise.all(
    messages.map(async ({ ReceiptHandle, Attributes }) => {
      const received = Number(Attributes?.ApproximateReceiveCount ?? 1);
      const waitMs = backoffMs(received, firstRedeliveryMs, mapping.queue.visibilityTimeoutMs);
      // The engine counts whole seconds; below one it is given back at once after the wait.
      if (waitMs < 1000) await pause(waitMs, new AbortController().signal);
      await sqs
        .call('ChangeMessageVisibility', {
          QueueUrl: mapping.queue.url,
          ReceiptHandle,
          VisibilityTimeout: waitMs < 1000 ? 0 : Math.round(waitMs / 1000),
        })
        .catch(() => undefined);
    }),
  );
}

function sqsEvent({ mapping, region }: QueuePollerOptions, messages: readonly Message[]): SQSEvent {
  return {
    Records: messages.map((message) => ({
      messageId: message.MessageId,
      receiptHandle: message.ReceiptHandle,
      body: message.Body,
      attributes: (message.Attributes ?? {}) as unknown as SQSRecord['attributes'],
      messageAttributes: message.MessageAttributes ?? {},
      md5OfBody: message.MD5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN: mapping.queue.arn,
      awsRegion: region,
    })),
  };
}
