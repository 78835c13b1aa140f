// Failed messages come again after a short pause instead of after the time their queue hides them.
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createRedelivery, pauseSecs, redelivered } from '../../../functions/clients/redelivery.ts';
import { startSqsEngine } from '../../../local/engines/sqs-engine.ts';
import { FakeLog } from '../support/fakes.ts';

it('makes a failed message of a group visible again, and leaves the others alone', async () => {
  const engine = await startSqsEngine();
  const client = new SQSClient({
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  onTestFinished(async () => {
    client.destroy();
    await engine.stop();
  });
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: 'work.fifo',
      Attributes: { FifoQueue: 'true', VisibilityTimeout: '600' },
    }),
  );
  for (const id of ['one', 'two']) {
    const body = { QueueUrl, MessageBody: id, MessageGroupId: id, MessageDeduplicationId: id };
    await client.send(new SendMessageCommand(body));
  }
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const receive = async () => {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      }),
    );
    return Messages;
  };
  const first = await receive();
  expect(first).toHaveLength(2);
  const event = {
    Records: first.map(({ Body, MessageId, ReceiptHandle, Attributes: attributes }) => ({
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes,
      eventSourceARN: Attributes?.QueueArn,
    })),
  } as unknown as SQSEvent;
  const failed = event.Records.find(({ body }) => body === 'one')?.messageId ?? '';
  const log = new FakeLog();
  const answer = Promise.resolve({ batchItemFailures: [{ itemIdentifier: failed }] });
  await redelivered(event, answer, createRedelivery(client, log));
  expect(log.lines).toEqual([]);
  // The pause is two seconds; the queue itself would hide both for ten minutes.
  await vi.waitFor(
    async () => {
      const again = await receive();
      expect(again.map(({ Body }) => Body)).toEqual(['one']);
    },
    { timeout: 20_000, interval: 200 },
  );
});

it('pauses longer each time, and says so when it can do nothing', async () => {
  expect([1, 2, 3, 7, 10, 1000].map(pauseSecs)).toEqual([2, 4, 8, 120, 120, 120]);
  const log = new FakeLog();
  const client = { send: () => Promise.reject(new Error('down')) } as unknown as SQSClient;
  await createRedelivery(client, log)([{ eventSourceARN: 'a:b' }] as never);
  expect(log.lines).toMatchObject([{ level: 'warn' }]);
});
