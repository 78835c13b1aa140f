// What is overdue ends in its minute, and the sweep ends in its time, also while one of its parts is slow, never answers
// or has more to do than a sweep has time for.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAttempts } from '../../../functions/sweeper/attempts.ts';
import type { SweeperDeps } from '../../../functions/sweeper/sweep.ts';
import { looksPerSweep, sweepUpdates } from '../../../functions/sweeper/sweep-updates.ts';
import type { Store, StoredUpdate } from '../../../shared/store/port.ts';
import { t0 } from '../../contract/fixtures.ts';
import { FakeLog } from '../support/fakes.ts';
import { createWorld, pathOf, queues, registration, submission, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

const roster = async () => ({
  version: 1,
  calledAt: world.now,
  trustedSince: 0,
  censusAt: 0,
  agents: new Map(),
});

async function overdueJob() {
  await world.report([registration('a1')]);
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  world.now = t0 + 5 * 60_000;
  return job;
}

const lost = async (job: Awaited<ReturnType<typeof overdueJob>>) =>
  (await world.tasks(job)).filter(({ state }) => state === 'LOST').length;

describe('a part of the sweep that does not answer', () => {
  it.each<[string, (hang: () => Promise<never>) => [Partial<Store>, Partial<SweeperDeps>]]>([
    ['the pools', (hang) => [{ pendingPools: hang }, {}]],
    ['the jobs', (hang) => [{ listUnreconciled: hang }, {}]],
    ['the agents that are emptied', (hang) => [{ listDraining: hang }, {}]],
    ['the updates', (hang) => [{ listDueUpdates: hang }, {}]],
    ['a queue', (hang) => [{}, { messages: { send: hang } }]],
  ])('keeps nothing overdue from its end: %s', async (_what, part) => {
    const job = await overdueJob();
    let release: (error: Error) => void = () => undefined;
    const hanging = new Promise<never>((_resolve, reject) => {
      release = reject;
    });
    const [store, more] = part(() => hanging);
    const sweeping = world.sweep({ getRoster: roster, ...store }, 60_000, more);
    await vi.waitFor(async () => expect(await lost(job)).toBe(3), { timeout: 20_000, interval: 50 });
    release(new Error('down'));
    await expect(sweeping).rejects.toThrow('down');
  });

  it('is given up while there is time to tell', async () => {
    const log = new FakeLog();
    const attempts = createAttempts(5_010, { clock: () => t0, log });
    const hanging = new Promise<number>(() => undefined);
    expect(await attempts.attempt('hearing nothing', hanging, 7)).toBe(7);
    expect(attempts.failures).toMatchObject([{ code: 'TIMEOUT' }]);
    expect(attempts.failures.map(String).join()).toContain('hearing nothing');
    expect(log.lines).toMatchObject([{ level: 'error' }]);
  });

  it('does not keep what could not be ended in time from being continued, whatever else failed', async () => {
    await overdueJob();
    const calls: unknown[] = [];
    const over = { getRoster: roster, listDueUpdates: () => Promise.reject(new Error('down')) };
    const again = async (round: unknown) => void calls.push(round);
    await expect(world.sweep(over, 1_000, { again })).rejects.toThrow('down');
    expect(calls).toHaveLength(1);
  });
});

describe('the look at updates', () => {
  const key = { role: 'r', environment: 'prod', name: 'j' };
  /** So many updates are due, the ones with lower numbers for longer. */
  function manyDue(count: number) {
    const dueAt = new Map(Array.from({ length: count }, (_, index) => [`u${index}`, index]));
    const looked: string[] = [];
    const deps = {
      store: {
        listDueUpdates: async (shard: number, now: number, limit: number) =>
          [...dueAt]
            .filter(([updateId, at]) => Number(updateId.slice(1)) % 8 === shard && at <= now)
            .sort(([, a], [, b]) => a - b)
            .slice(0, limit)
            .map(([updateId, at]) => ({ key, updateId, dueAt: at })),
        getUpdate: async (_key: unknown, updateId: string) =>
          ({
            update: { ...key, updateId, status: 'ROLLING_FORWARD' },
            sequence: 1,
          }) as unknown as StoredUpdate,
        deferUpdate: async ({ update }: StoredUpdate, at: number) => void dueAt.set(update.updateId, at),
        writeUpdate: () => Promise.reject(new Error('not asked')),
      },
      workflows: {
        isRunning: async ({ updateId }: { updateId: string }) => {
          looked.push(updateId);
          return true;
        },
      },
      messages: world.messages,
      jobsQueueUrl: queues.jobs,
      clock: () => world.now,
      log: world.log,
    };
    return { dueAt, looked, deps };
  }
  const shards = [0, 1, 2, 3, 4, 5, 6, 7];

  it('asks for no more executions than the service answers in a minute, and comes to each in turn', async () => {
    const { looked, deps } = manyDue(3 * looksPerSweep);
    for (let minute = 1; minute <= 3; minute++) {
      world.now += 60_000;
      await sweepUpdates(shards, () => 60_000, deps);
      expect(looked).toHaveLength(minute * looksPerSweep);
    }
    expect(new Set(looked).size).toBe(3 * looksPerSweep);
    // 10 answers a second are granted to an account, the console's included.
    expect(looksPerSweep).toBeLessThan(600);
  });

  it('puts one off before it asks, so that those that fail do not come first again', async () => {
    const { dueAt, looked, deps } = manyDue(2 * looksPerSweep);
    const failing = { ...deps, workflows: { isRunning: () => Promise.reject(new Error('throttled')) } };
    world.now += 60_000;
    await expect(sweepUpdates(shards, () => 60_000, failing)).rejects.toThrow('throttled');
    expect([...dueAt.values()].filter((at) => at > world.now)).toHaveLength(looksPerSweep);
    await sweepUpdates(shards, () => 60_000, deps);
    expect(looked).toHaveLength(looksPerSweep);
  });

  it('begins none when time is short', async () => {
    const { looked, deps } = manyDue(40);
    world.now += 60_000;
    let left = 60_000;
    const workflows = {
      isRunning: async (update: { updateId: string }) => {
        left -= 5_000;
        return deps.workflows.isRunning(update);
      },
    };
    await sweepUpdates(shards, () => left, { ...deps, workflows });
    expect(looked.length).toBeGreaterThan(0);
    expect(looked.length).toBeLessThan(40);
  });
});
