import { describe, expect, it } from 'vitest';
import { shardOf } from '../../shared/lib/hash.ts';
import type { Task } from '../../shared/model/task.ts';
import { dueShards } from '../../shared/store/keys.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeJob, makeTask, makeTasks, step, t0, unique } from './fixtures.ts';
import { rawTask } from './rows.ts';

const minute = 60_000;

function assignedAt(task: Task, deadlineAt: number): Task {
  return { ...step(task, 'ASSIGNED', { deadlineAt }), agentId: 'agent-1', grant: { gpus: [], ports: {} } };
}

/** Deadlines: a sparse index of when to look, the row says whether it is time (lazy timer). */
export function sweepingContract(subject: () => StoreUnderTest): void {
  /** Due tasks of one job. */
  async function due(name: string, now: number, limit = 1_000): Promise<Task[]> {
    const store = subject().store();
    const shards = Array.from({ length: dueShards }, (_, shard) => store.listDue(shard, now, { limit }));
    return (await Promise.all(shards)).flatMap(({ items }) => items).filter((task) => task.name === name);
  }

  describe('listUnreconciled', () => {
    it('names a job from a minute after its acceptance until it is reconciled', async () => {
      const store = subject().store();
      const job = makeJob({ name: unique('job'), specVersion: 2, reconciledVersion: 0, updatedAt: t0 });
      const listed = async (now: number) => {
        const shards = Array.from({ length: dueShards }, (_, shard) =>
          store.listUnreconciled(shard, now, 1_000),
        );
        return (await Promise.all(shards)).flat().filter(({ name }) => name === job.name);
      };
      await store.createJob({ job, configs: new Map() });
      expect(await listed(t0 + minute - 1)).toEqual([]);
      const { role, environment, name } = job;
      expect(await listed(t0 + minute)).toEqual([{ role, environment, name }]);
      const done = { ...job, reconciledVersion: 2 };
      await store.updateJob(done, { specVersion: 2, reconciledVersion: 0 });
      expect(await listed(t0 + 100 * minute)).toEqual([]);
    });
  });

  describe('listDue', () => {
    it('gives tasks whose time has come, in their shard, the longest overdue first', async () => {
      const store = subject().store();
      const name = unique('job');
      const tasks = makeTasks(60, { name }).map((task, index) => assignedAt(task, t0 + index));
      await store.insertTasks(tasks);
      expect(await due(name, t0 - 1)).toEqual([]);
      expect((await due(name, t0)).map(({ instance }) => instance)).toEqual([0]);
      const all = await due(name, t0 + 59);
      expect(all.map(({ instance }) => instance).sort((a, b) => a - b)).toEqual(
        tasks.map(({ instance }) => instance),
      );
      const shard = shardOf((tasks[0] as Task).taskId, dueShards);
      const { items } = await store.listDue(shard, t0 + 59, { limit: 2 });
      const expected = tasks.filter(({ taskId }) => shardOf(taskId, dueShards) === shard).slice(0, 2);
      expect(items.filter((task) => task.name === name)).toEqual(expected);
    });

    it('goes on after the last entry of a page, also if what was on it has moved on', async () => {
      const store = subject().store();
      const name = unique('job');
      const tasks = makeTasks(120, { name }).map((task) => assignedAt(task, t0 + task.instance));
      await store.insertTasks(tasks);
      const shard = shardOf((tasks[0] as Task).taskId, dueShards);
      const seen: string[] = [];
      let pages = 0;
      let cursor: string | undefined;
      do {
        const page = { limit: 2, ...(cursor !== undefined && { cursor }) };
        const { items, next } = await store.listDue(shard, t0 + 119, page);
        for (const task of items.filter((one) => one.name === name)) {
          seen.push(task.taskId);
          await store.transition({ task, next: step(task, 'LOST') });
        }
        pages++;
        cursor = next;
      } while (cursor !== undefined);
      const expected = tasks.filter(({ taskId }) => shardOf(taskId, dueShards) === shard);
      expect(expected.length).toBeGreaterThan(3);
      expect(seen).toEqual(expected.map(({ taskId }) => taskId));
      expect(pages).toBeGreaterThan(1);
    });

    it('finds a task by its first deadline although STARTING moved the deadline, until it is deferred', async () => {
      const store = subject().store();
      const name = unique('job');
      const assigned = assignedAt(makeTask({ name }), t0 + 5 * minute);
      await store.insertTasks([assigned]);
      const entry = (await rawTask(subject(), assigned))?.gt;
      const starting = step(assigned, 'STARTING', { deadlineAt: t0 + 7 * minute });
      await store.transition({ task: assigned, next: starting });
      expect((await rawTask(subject(), assigned))?.gt).toBe(entry);

      expect(await due(name, t0 + 5 * minute)).toEqual([starting]);
      await store.deferDue(starting);
      expect(await due(name, t0 + 6 * minute)).toEqual([]);
      expect(await due(name, t0 + 7 * minute)).toEqual([starting]);

      const running = step(starting, 'RUNNING');
      await store.transition({ task: starting, next: running });
      expect(await due(name, t0 + 100 * minute)).toEqual([]);
      expect(await rawTask(subject(), assigned)).not.toHaveProperty('gt');
    });

    it('looks earlier when a deadline comes nearer', async () => {
      const store = subject().store();
      const name = unique('job');
      const assigned = assignedAt(makeTask({ name }), t0 + 5 * minute);
      await store.insertTasks([assigned]);
      const killing = step(assigned, 'KILLING', { deadlineAt: t0 + minute });
      await store.transition({ task: assigned, next: killing });
      expect(await due(name, t0 + minute)).toEqual([killing]);
    });
  });

  describe('deferDue', () => {
    it('drops the entry of a task without a deadline and leaves a changed task alone', async () => {
      const store = subject().store();
      const name = unique('job');
      const assigned = assignedAt(makeTask({ name }), t0);
      await store.insertTasks([assigned]);
      const entry = (await rawTask(subject(), assigned))?.gt;
      // Read before it changed: its deadline is not the row's any more.
      const killing = step(assigned, 'KILLING', { deadlineAt: t0 + minute });
      await store.transition({ task: assigned, next: killing });
      await store.deferDue({ ...assigned, deadlineAt: t0 + 9 * minute });
      expect((await rawTask(subject(), assigned))?.gt).toBe(entry);
      await store.deferDue({ ...killing, deadlineAt: undefined as never });
      expect(await due(name, t0 + 100 * minute)).toEqual([]);
    });
  });
}
