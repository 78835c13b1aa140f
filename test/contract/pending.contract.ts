import { describe, expect, it } from 'vitest';
import type { PendingReason } from '../../shared/model/reason.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeJob, makeTask, makeTasks, pendingRowOf, t0, unique } from './fixtures.ts';

/** Waiting tasks of a pool and why they wait. */
export function pendingContract(subject: () => StoreUnderTest): void {
  describe('listPending', () => {
    it('gives all the matcher needs, higher priority first, then older, up to the limit', async () => {
      const store = subject().store();
      const pool = unique('pool');
      const name = unique('job');
      const over = [
        { priority: 5, createdAt: t0 + 2 },
        { priority: 0, createdAt: t0 },
        { priority: 99_999, createdAt: t0 + 9 },
        { priority: 5, createdAt: t0 + 1 },
        { priority: 10, createdAt: t0 + 500 },
      ];
      const tasks = over.map((one, instance) =>
        makeTask({
          ...one,
          name,
          pool,
          instance,
          constraints: [{ kind: 'limit', attribute: 'host', limit: 2 }],
          resources: { ...makeTask().resources, gpus: 1, gpuMilli: 500, gpuModels: ['T4'] },
        }),
      );
      await store.insertTasks([...tasks, makeTask({ name, pool: unique('pool'), instance: 77 })]);
      const sorted = [2, 4, 3, 0, 1].map((index) => tasks[index] as (typeof tasks)[number]);
      expect(await store.listPending(pool, 100)).toEqual(sorted.map(pendingRowOf));
      expect(await store.listPending(pool, 2)).toEqual(sorted.slice(0, 2).map(pendingRowOf));
      expect(await store.listPending(unique('pool'), 10)).toEqual([]);
    });

    it('keeps one order over shards and pages', async () => {
      const store = subject().store();
      const pool = unique('pool');
      const tasks = makeTasks(700, { name: unique('job'), pool }).map((task, index) => {
        return { ...task, priority: index % 7, createdAt: t0 + ((index * 31) % 700) };
      });
      await store.insertTasks(tasks);
      const expected = [...tasks]
        .sort((a, b) => b.priority - a.priority || a.createdAt - b.createdAt)
        .map(({ taskId }) => taskId);
      // 300 makes pages of 50 and so needs several from each shard.
      for (const limit of [1, 300, 5_000]) {
        const rows = await store.listPending(pool, limit);
        expect(rows.map(({ taskId }) => taskId)).toEqual(expected.slice(0, limit));
      }
    });
  });

  describe('countPending', () => {
    it('counts the waiting tasks of one pool', async () => {
      const store = subject().store();
      const pool = unique('pool');
      const name = unique('job');
      await store.insertTasks([...makeTasks(30, { name, pool }), makeTask({ name: unique('job') })]);
      expect(await store.countPending(pool)).toBe(30);
      expect(await store.countPending(unique('pool'))).toBe(0);
    });
  });

  describe('countBacklog', () => {
    it('counts waiting tasks of the pool and jobs not carried out, exactly where little is enough', async () => {
      const store = subject().store();
      const pool = unique('pool');
      const name = unique('job');
      const before = await store.countBacklog(pool, 500);
      expect(before.tasks).toBe(0);
      await store.insertTasks([...makeTasks(30, { name, pool }), makeTask({ name: unique('job') })]);
      await store.createJob({ job: makeJob({ name: unique('job') }), configs: new Map() });
      const after = await store.countBacklog(pool, 500);
      expect(after.tasks).toBe(30);
      expect(after.jobs).toBeGreaterThanOrEqual(Math.min(500, before.jobs + 1));
    });

    it('counts no further than about enough', async () => {
      const store = subject().store();
      const pool = unique('pool');
      await store.insertTasks(makeTasks(300, { name: unique('job'), pool }));
      const { tasks } = await store.countBacklog(pool, 10);
      expect(tasks).toBeGreaterThanOrEqual(10);
      expect(tasks).toBeLessThanOrEqual(80);
    });

    it('estimates from a part of the tasks where much is enough', async () => {
      const store = subject().store();
      const pool = unique('pool');
      await store.insertTasks(makeTasks(800, { name: unique('job'), pool }));
      const { tasks } = await store.countBacklog(pool, 100_000);
      // 100 of 800 are expected in one shard of eight; six standard deviations are 56.
      expect(tasks).toBeGreaterThan(352);
      expect(tasks).toBeLessThan(1_248);
    });
  });

  describe('pendingPools', () => {
    it('names pools while they have a waiting task', async () => {
      const pool = unique('pool');
      const task = makeTask({ name: unique('job'), pool });
      await subject().store().insertTasks([task]);
      const store = subject().store();
      expect(await store.pendingPools()).toContain(pool);
      await store.transition({ task });
      expect(await store.pendingPools()).not.toContain(pool);
    });
  });

  describe('reasons', () => {
    it('keep the latest verdict per job and config for a while', async () => {
      let now = t0;
      const store = subject().store({ clock: () => now });
      const key = makeJob();
      const reason: PendingReason = {
        verdict: 'waiting',
        agents: 3,
        counts: [{ code: 'CONSTRAINT', attribute: 'rack', agents: 3 }],
        nearest: { agentId: 'a', reasons: [{ code: 'CPU', needed: 2, available: 1 }] },
        at: t0,
      };
      const many = Array.from({ length: 40 }, (_, index) => ({ key, configId: `c${index}`, reason }));
      const later = { ...reason, verdict: 'neverFits' as const };
      await store.putReasons([...many, { key, configId: 'c7', reason: later }]);
      const stored = await store.getReasons(key);
      expect(stored.size).toBe(40);
      expect(stored.get('c7')).toEqual(later);
      expect(stored.get('c8')).toEqual(reason);
      expect((await store.getReasons(makeJob())).size).toBe(0);
      now += 2 * 3_600_000;
      expect((await store.getReasons(key)).size).toBe(0);
      await store.putReasons([]);
    });
  });
}
