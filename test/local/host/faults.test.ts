import { describe, expect, it } from 'vitest';
import { withFaults } from '../../../local/host/faults.ts';
import type { Invoker } from '../../../local/host/invoker.ts';
import type { Odds } from '../../../local/host/striker.ts';

const queueFunction = 'arn:aws:lambda:us-east-1:000000000000:function:worker';
const apiFunction = 'arn:aws:lambda:us-east-1:000000000000:function:api';

/** An invoker that notes what it is called with, and one with faults around it. */
function around(faults?: Odds) {
  const calls: unknown[] = [];
  const invoker: Invoker = {
    invoke: async (_arn, event) => calls.push(event),
    functionByArn: () => {
      throw new Error('not asked for');
    },
    inFlight: () => 0,
    onSettled: () => undefined,
    idle: async () => undefined,
    stats: () => ({}),
  };
  const faulty = withFaults(invoker, new Set([apiFunction]));
  if (faults) faulty.setFaults(faults);
  return { calls, faulty };
}

async function outcomes(functionArn: string, count: number, seed: number) {
  const { calls, faulty } = around({ seed, oneIn: 2 });
  const failed: number[] = [];
  for (let i = 0; i < count; i++) await faulty.invoke(functionArn, i).catch(() => failed.push(i));
  return { calls, failed, counts: faulty.faultCounts() };
}

describe('functions made to fail', () => {
  it('are left alone until asked for, and again afterwards', async () => {
    const { calls, faulty } = around();
    for (let i = 0; i < 100; i++) await faulty.invoke(queueFunction, i);
    faulty.setFaults({ seed: 1, oneIn: 1 });
    faulty.setFaults(undefined);
    for (let i = 100; i < 200; i++) await faulty.invoke(queueFunction, i);
    expect(calls).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(faulty.faultCounts()).toEqual({ before: 0, after: 0, twice: 0, atOnce: 0 });
  });

  it('fail before or after their effects, or are called twice, in about the share asked for', async () => {
    const { calls, failed, counts } = await outcomes(queueFunction, 400, 7);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20);
    expect(failed).toHaveLength(counts.before + counts.after);
    const times = Map.groupBy(calls, (event) => event);
    const called = (often: number) => [...times.values()].filter(({ length }) => length === often).length;
    expect(called(2)).toBe(counts.twice + counts.atOnce);
    expect(times.size).toBe(400 - counts.before);
  });

  it('are not called twice where their caller waits for the answer', async () => {
    const { calls, counts } = await outcomes(apiFunction, 200, 7);
    expect(counts).toMatchObject({ twice: 0, atOnce: 0 });
    expect(new Set(calls).size).toBe(calls.length);
    expect(counts.before * counts.after).toBeGreaterThan(0);
  });

  it('fail in the same places with the same seed, in others with another', async () => {
    const first = (await outcomes(queueFunction, 60, 3)).failed;
    expect((await outcomes(queueFunction, 60, 3)).failed).toEqual(first);
    expect((await outcomes(queueFunction, 60, 4)).failed).not.toEqual(first);
  });
});
