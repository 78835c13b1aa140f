import { describe, expect, it } from 'vitest';
import { drainHeartbeats } from '../../../functions/roll-call/drain.ts';
import { FakeLog, FakeMeter } from '../support/fakes.ts';
import { FakeHeartbeats } from '../support/heartbeats.ts';

const telemetry = { log: new FakeLog(), meter: new FakeMeter() };
const startedAt = 1_800_000_000_000;

/** Time that passes with every look at it: 100 ms. */
function time(remainingMs: number) {
  let left = remainingMs;
  return {
    startedAt,
    reserveMs: 25_000,
    remainingMs: () => {
      left -= 100;
      return left;
    },
  };
}

/** A queue into which an agent beats before every answer, as in a large fleet. */
class BusyHeartbeats extends FakeHeartbeats {
  received = 0;

  override receive() {
    this.beat([`busy-${this.received}`], startedAt + 10 * this.received++);
    return super.receive();
  }
}

describe('emptying the queue of heartbeats', () => {
  it('ends where a large fleet beats all the time: everything sent before it began was heard', async () => {
    const queue = new BusyHeartbeats();
    for (let i = 0; i < 55; i++) queue.beat([`a${i}`], startedAt - 60_000 + i);
    const { heard, isEmpty } = await drainHeartbeats(queue, time(55_000), telemetry);
    expect(isEmpty).toBe(true);
    expect(heard.filter(({ report }) => report.agentId.startsWith('a'))).toHaveLength(55);
    expect(queue.received).toBeLessThan(20);
  });

  it('is not complete while older messages keep coming, when its time is over', async () => {
    const queue = new FakeHeartbeats();
    const old = Object.assign(queue, {
      receive: async () => {
        queue.beat(['late'], startedAt - 1);
        return FakeHeartbeats.prototype.receive.call(queue);
      },
    });
    expect(await drainHeartbeats(old, time(30_000), telemetry)).toMatchObject({ isEmpty: false });
  });

  it('takes what it is given to the end where little comes', async () => {
    const queue = new FakeHeartbeats();
    queue.beat(['a', 'b'], startedAt - 5000);
    queue.beat(['a'], startedAt - 1000);
    const { heard, receipts, isEmpty } = await drainHeartbeats(queue, time(55_000), telemetry);
    expect(isEmpty).toBe(true);
    expect(heard.map(({ report, sentAt }) => [report.agentId, startedAt - sentAt])).toEqual([
      ['a', 1000],
      ['b', 5000],
    ]);
    expect(receipts).toHaveLength(3);
  });
});
