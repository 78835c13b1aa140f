import { describe, expect, it } from 'vitest';
import type { Task } from '../../shared/model/task.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeTask, makeTasks, step, successor, suffix, t0, unique } from './fixtures.ts';

/** Task rows: insert once, read by id, by many ids, by instance interval. */
export function tasksContract(subject: () => StoreUnderTest): void {
  describe('insertTasks', () => {
    it('keeps every field of a task', async () => {
      const store = subject().store();
      const name = unique('job');
      const full = makeTask({
        name,
        instance: 99_999,
        generation: 12,
        service: false,
        priority: 99_999,
        maxTaskFailures: -1,
        resources: {
          cpuMilli: 11_900,
          ramMb: 16_384,
          diskMb: 0,
          gpus: 1,
          gpuMilli: 440,
          gpuModels: ['V100M32', 'T4'],
          ports: ['http', 'admin'],
        },
        constraints: [
          { kind: 'value', attribute: 'rack', negated: true, values: ['r1', 'r2'] },
          { kind: 'limit', attribute: 'host', limit: 1 },
        ],
        failureCount: 3,
        flapStreak: 2,
        ancestorId: makeTask({ name: 'elsewhere' }).taskId,
        state: 'THROTTLED',
        deadlineAt: t0 + 30_000,
        events: [
          { state: 'THROTTLED', at: t0, message: 'Rescheduled, penalized for 30000 ms\nfor "flapping" ~ #' },
        ],
      });
      const plain = makeTask({ name });
      const heir = successor(step(plain, 'FINISHED'));
      await store.insertTasks([full, plain, heir]);
      for (const task of [full, plain, heir]) expect(await store.getTask(task.taskId)).toEqual(task);
    });

    it('leaves rows alone that exist and says which they are', async () => {
      const store = subject().store();
      const tasks = makeTasks(60, { name: unique('job') });
      await store.insertTasks(tasks.slice(10, 40));
      const again = tasks.map((task) => ({ ...task, failureCount: 9 }));
      const { existing } = await store.insertTasks(again);
      expect([...existing].sort()).toEqual(
        tasks
          .slice(10, 40)
          .map(({ taskId }) => taskId)
          .sort(),
      );
      const stored = await store.listTasks(tasks[0] as Task, [0, 59]);
      expect(stored.filter(({ failureCount }) => failureCount === 9)).toHaveLength(30);
      expect(await store.insertTasks([])).toEqual({ existing: [] });
    });

    it('does not let another task take the place of an instance and generation', async () => {
      const store = subject().store();
      const task = makeTask({ name: unique('job') });
      await store.insertTasks([task]);
      const rival = makeTask({ name: task.name });
      expect(await store.insertTasks([rival])).toEqual({ existing: [rival.taskId] });
      expect(await store.getTask(rival.taskId)).toBeUndefined();
      expect(await store.getTask(task.taskId)).toEqual(task);
    });
  });

  describe('reading tasks', () => {
    it('finds many by id and leaves out what is not there', async () => {
      const store = subject().store();
      const tasks = makeTasks(130, { name: unique('job') });
      await store.insertTasks(tasks);
      const ids = tasks.map(({ taskId }) => taskId);
      const gone = makeTask({ name: tasks[0]?.name as string, instance: 4_000 }).taskId;
      const other = (ids[0] as string).replace(/~[^~]*$/, `~${suffix()}`);
      const found = await store.getTasks([...ids, ids[3] as string, gone, other, 'not a task id']);
      expect(found.map(({ taskId }) => taskId).sort()).toEqual([...ids].sort());
      expect(await store.getTasks([])).toEqual([]);
      expect(await store.getTask('not a task id')).toBeUndefined();
    });

    it('lists all generations of an interval of instances in order, across partitions', async () => {
      const store = subject().store();
      const name = unique('job');
      const tasks = [0, 248, 249, 250, 251, 499, 500, 1_250].flatMap((instance) => [
        makeTask({ name, instance, generation: 2 }),
        makeTask({ name, instance, generation: 10 }),
      ]);
      await store.insertTasks(tasks);
      // Its name starts the same: no prefix may leak.
      await store.insertTasks([makeTask({ name: `${name}2`, instance: 250 })]);
      const list = async (lo: number, hi: number): Promise<string[]> =>
        (await store.listTasks(tasks[0] as Task, [lo, hi])).map(
          (task) => `${task.instance}.${task.generation}`,
        );
      expect(await list(249, 250)).toEqual(['249.2', '249.10', '250.2', '250.10']);
      expect(await list(251, 499)).toEqual(['251.2', '251.10', '499.2', '499.10']);
      expect(await list(0, 99_999)).toHaveLength(16);
      expect(await list(501, 1_249)).toEqual([]);
      expect(await list(5, 4)).toEqual([]);
    });
  });
}
