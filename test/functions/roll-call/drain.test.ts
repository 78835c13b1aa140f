// Emptying the queue of heartbeats with several receivers, of which one fails.
import { expect, it } from 'vitest';
import type { QueuedHeartbeat } from '../../../functions/clients/heartbeat-queue.ts';
import { drainHeartbeats } from '../../../functions/roll-call/drain.ts';

const time = { startedAt: 2, remainingMs: () => 60_000, reserveMs: 0 };
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const telemetry = { log: silent, meter: { count: () => {}, millis: () => {} } };

function heartbeats(count: number): QueuedHeartbeat[] {
  return Array.from({ length: count }, (_, i) => ({
    body: JSON.stringify({ v: 1, kind: 'heartbeat', agentId: `a${i}`, sessionId: 's', sentAt: 1 }),
    sentAt: 1,
    sender: undefined,
    receipt: `r${i}`,
  }));
}

it('throws what one of its receivers met, whoever it was, and leaves none of them alone', async () => {
  const slow = Promise.withResolvers<QueuedHeartbeat[]>();
  let calls = 0;
  const receive = (): Promise<QueuedHeartbeat[]> => {
    calls++;
    // The first full answer calls in a helper: that one fails while the first still waits.
    if (calls === 1) return Promise.resolve(heartbeats(10));
    return calls === 2 ? Promise.reject(new Error('throttled')) : slow.promise;
  };
  const drained = drainHeartbeats({ receive }, time, telemetry);
  // Long enough for Node to notice a failure that nobody waits for; vitest reports it.
  await new Promise((resolve) => setImmediate(resolve));
  slow.resolve([]);
  await expect(drained).rejects.toThrow('throttled');
});
