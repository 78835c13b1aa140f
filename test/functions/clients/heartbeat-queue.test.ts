// The queue of heartbeats on a real SQS engine: sent times, removal, emptiness.
import { CreateQueueCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, it, onTestFinished } from 'vitest';
import { createHeartbeatQueue } from '../../../functions/clients/heartbeat-queue.ts';
import { drainHeartbeats } from '../../../functions/roll-call/drain.ts';
import { startSqsEngine } from '../../../local/engines/sqs-engine.ts';
import { FakeLog, FakeMeter } from '../support/fakes.ts';

it('is emptied whole, with the times at which SQS took the messages, and stays empty once they are removed', async () => {
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
  const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: 'beats' }));
  const before = Date.now();
  for (let batch = 0; batch < 7; batch++) {
    const Entries = Array.from({ length: 10 }, (_, index) => ({
      Id: String(index),
      MessageBody: JSON.stringify({
        v: 1,
        kind: 'heartbeat',
        agentId: `a${(batch * 10 + index) % 35}`,
        sessionId: 's',
        sentAt: 1,
        tasks: batch,
      }),
    }));
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  }
  const queue = createHeartbeatQueue(client, QueueUrl);
  const telemetry = { log: new FakeLog(), meter: new FakeMeter() };
  const drain = () =>
    drainHeartbeats(queue, { startedAt: Date.now(), remainingMs: () => 60_000, reserveMs: 0 }, telemetry);
  const drained = await drain();
  expect(drained.isEmpty).toBe(true);
  expect(drained.receipts).toHaveLength(70);
  expect(drained.heard).toHaveLength(35);
  for (const { sentAt } of drained.heard) {
    expect(sentAt).toBeGreaterThanOrEqual(before);
    expect(sentAt).toBeLessThanOrEqual(Date.now());
  }
  await queue.remove(drained.receipts);
  expect(await drain()).toMatchObject({ receipts: [], heard: [] });
});
