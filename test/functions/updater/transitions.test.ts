// What updates cost in Step Functions (design section 4: at most five transitions a batch), counted on whole updates in
// simulated time, whose instances come up at once, at different times, or far apart.
import { describe, expect, it } from 'vitest';
import { createUpdateAlarms } from '../../../functions/updater/alarms.ts';
import { changeUpdate } from '../../../functions/updater/change-update.ts';
import { applyCall } from '../../../shared/domain/update/calls.ts';
import type { UpdateSettingsInput } from '../../../shared/model/update.ts';
import { FakeQueues } from '../support/fakes.ts';
import { type RunningUpdate, runUpdate } from '../support/update-run.ts';

const instances = 60;
const strategies = {
  'queue(1)': { strategy: { kind: 'queue', groupSize: 1 }, batches: 60 },
  'queue(5)': { strategy: { kind: 'queue', groupSize: 5 }, batches: 12 },
  'batch(5)': { strategy: { kind: 'batch', groupSize: 5 }, batches: 12 },
  // 1, 5, 10, 10, 10, 10, 10, 4.
  'varBatch(1,5,10)': { strategy: { kind: 'varBatch', groupSizes: [1, 5, 10] }, batches: 8 },
} as const;
const paces = {
  'at once': () => 1000,
  'at different times': (instance: number) => 1000 + ((instance * 7919) % 40) * 1000,
  'far apart': (instance: number) => 1000 + ((instance * 104_729) % 13) * 60_000,
};

const cases = Object.entries(strategies).flatMap(([name, { strategy, batches }]) =>
  [0, 45_000].flatMap((watchMs) =>
    Object.entries(paces).map(([pace, startMs]) => ({ name, strategy, batches, watchMs, pace, startMs })),
  ),
);

describe('an update', () => {
  it.each(cases)(
    'by $name with a watch of $watchMs ms, whose instances come up $pace, takes four transitions a batch',
    async ({ strategy, batches, watchMs, startMs }) => {
      const settings = { strategy, minWaitInInstanceRunningMs: watchMs } as UpdateSettingsInput;
      const { update, transitions, configs, after, executions } = await runUpdate({
        instances,
        settings,
        startMs,
      });
      expect(update.status).toBe('ROLLED_FORWARD');
      expect(configs.every((configId) => configId === after)).toBe(true);
      expect(executions).toBe(1);
      // Each batch four; the verdict that ends it all, two more; slots that get free in different batches, one batch more.
      expect(transitions).toBeLessThanOrEqual(4 * (batches + 1) + 2);
      expect(transitions / batches).toBeLessThanOrEqual(5);
      expect(transitions).toBeGreaterThanOrEqual(4 * batches);
    },
  );

  it('refills each slot of a queue when it gets free, not when the others are', async () => {
    const startMs = (instance: number) => (instance === 0 ? 1_000_000 : 1000);
    const settings = {
      strategy: { kind: 'queue', groupSize: 2 },
      minWaitInInstanceRunningMs: 30_000,
    } as const;
    const { simulatedMs, mostDown, looks } = await runUpdate({ instances: 21, settings, startMs });
    // Twenty go through the one slot, 31 s and a little each, while the other waits.
    expect(simulatedMs).toBeLessThan(1_040_000);
    expect(mostDown).toBeLessThanOrEqual(2);
    expect(looks).toBeGreaterThanOrEqual(15);
  });

  it('waits for a place without any transition, and stops at its deadline', async () => {
    const startMs = (instance: number) => (instance === 3 ? undefined : 1000);
    const settings = {
      strategy: { kind: 'batch', groupSize: 2 },
      minWaitInInstanceRunningMs: 0,
      placementDeadlineMs: 3_600_000,
    } as const;
    const run = runUpdate({ instances: 6, settings, startMs, incidents: [{ atMs: 4_000_000, what: abort }] });
    const { update, transitions } = await run;
    expect(update.events.map(({ status }) => status)).toEqual([
      'ROLLING_FORWARD',
      'ROLL_FORWARD_PAUSED',
      'ABORTED',
    ]);
    expect(update.events[1]?.message).toContain('Instance 3 has waited for 3600000 ms: no agent had room');
    // Within seconds of the deadline: it went PENDING less than 10 s after the start.
    const pausedAt = (update.events[1]?.at ?? 0) - update.createdAt;
    expect(pausedAt).toBeGreaterThanOrEqual(3_600_000);
    expect(pausedAt).toBeLessThan(3_610_000);
    expect(transitions).toBeLessThanOrEqual(4 * 2 + 2);
  });
});

describe('the alarm of an update', () => {
  const key = { role: 'web', environment: 'prod', name: 'hello' };
  const queue = () => {
    const messages = new FakeQueues();
    const clock = { now: 1_000_000 };
    const alarms = createUpdateAlarms(messages, 'timers', () => clock.now);
    return { messages, clock, alarms };
  };

  it('is a delayed message that is due at the next full second', async () => {
    const { messages, alarms } = queue();
    await alarms.set(key, 'u1', 1_004_200);
    expect(messages.bodies('timers')).toEqual([{ v: 1, kind: 'update', key, updateId: 'u1' }]);
    expect(messages.sent[0]?.message.delaySeconds).toBe(5);
  });

  it('is set once for what is due at the same time or later, anew for what is due earlier or after it', async () => {
    const { messages, clock, alarms } = queue();
    for (const at of [1_010_000, 1_010_000, 1_020_000]) await alarms.set(key, 'u1', at);
    expect(messages.sent).toHaveLength(1);
    await alarms.set(key, 'u1', 1_005_000);
    await alarms.set(key, 'u2', 1_005_000);
    expect(messages.sent).toHaveLength(3);
    clock.now = 1_005_000;
    await alarms.set(key, 'u1', 1_010_000);
    expect(messages.sent).toHaveLength(4);
  });

  it('is set again before it is due if that is further away than a message can be delayed', async () => {
    const { messages, clock, alarms } = queue();
    await alarms.set(key, 'u1', 5_000_000);
    expect(messages.sent[0]?.message.delaySeconds).toBe(900);
    clock.now += 900_000;
    await alarms.set(key, 'u1', 5_000_000);
    expect(messages.sent).toHaveLength(2);
  });

  it('is set again after its queue has failed', async () => {
    const { messages, alarms } = queue();
    messages.failing.add('timers');
    await expect(alarms.set(key, 'u1', 1_010_000)).rejects.toThrow();
    messages.failing.clear();
    await alarms.set(key, 'u1', 1_010_000);
    expect(messages.sent).toHaveLength(1);
  });
});

/** As a person does who sees it paused. */
async function abort({ store, update }: RunningUpdate): Promise<void> {
  const clock = () => update.createdAt + 4_000_000;
  await changeUpdate(update, update.updateId, (one, now) => applyCall(one, 'abort', { user: 'ann', now }), {
    store,
    clock,
  });
}
