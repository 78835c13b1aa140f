import { describe, expect, it } from 'vitest';
import { onAgentStates, type Task, type TaskState } from '../../shared/model/task.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeTask, makeTasks, step, successor, t0, unique } from './fixtures.ts';
import { indexesOf, rawTask } from './rows.ts';

const dayMs = 86_400_000;

/** A task with an agent in this state, inserted as such. */
function placed(state: TaskState, over: Partial<Task> = {}): Task {
  return makeTask({
    name: unique('job'),
    state,
    agentId: 'agent-1',
    grant: { gpus: [[0, 440]], ports: { http: 31_000 } },
    events: [
      { state: 'PENDING', at: t0 },
      { state, at: t0 + 1 },
    ],
    ...over,
  });
}

/** Transitions: conditional on the row as read, with or without a successor, one by one or many. */
export function transitionsContract(subject: () => StoreUnderTest): void {
  describe('transition', () => {
    it('writes the row as it becomes and remembers nothing else', async () => {
      const store = subject().store();
      const before = placed('RUNNING');
      await subject().store().insertTasks([before]);
      const after = step(before, 'KILLING', { deadlineAt: t0 + 300_000, failureCount: 1 });
      expect(await store.transition({ task: before, next: after })).toEqual({ kind: 'committed' });
      expect(await store.getTask(before.taskId)).toEqual(after);
    });

    it('answers with the row as it is when the state, the history or the task is another', async () => {
      const store = subject().store();
      const before = placed('RUNNING');
      await store.insertTasks([before]);
      const partitioned = step(before, 'PARTITIONED');
      const back = step(partitioned, 'RUNNING');
      await store.transition({ task: before, next: partitioned });
      const late = { task: before, next: step(before, 'FINISHED') };
      expect(await store.transition(late)).toEqual({ kind: 'conflict', current: partitioned });
      await store.transition({ task: partitioned, next: back });
      // The same state again, but two events later: writing would lose them.
      expect(await store.transition(late)).toEqual({ kind: 'conflict', current: back });
      const stranger = makeTask({ ...back, taskId: makeTask({ name: back.name }).taskId });
      const theirs = { task: stranger, next: step(stranger, 'FINISHED') };
      expect(await store.transition(theirs)).toEqual({ kind: 'conflict', current: back });
      const gone = placed('RUNNING');
      expect(await store.transition({ task: gone, next: step(gone, 'LOST') })).toEqual({ kind: 'conflict' });
      expect(await store.getTask(gone.taskId)).toBeUndefined();
    });

    it('rewrites a history that was cut', async () => {
      const store = subject().store();
      const before = placed('RUNNING', {
        events: (['PENDING', 'RUNNING', 'PARTITIONED', 'RUNNING'] as const).map((state, index) => {
          return { state, at: t0 + index };
        }),
      });
      await store.insertTasks([before]);
      const kept = before.events.slice(0, 2);
      const after: Task = {
        ...before,
        state: 'PARTITIONED',
        events: [...kept, { state: 'PARTITIONED', at: t0 + 9 }],
      };
      expect(await store.transition({ task: before, next: after })).toEqual({ kind: 'committed' });
      expect(await store.getTask(before.taskId)).toEqual(after);
    });

    it('deletes the row when there is no next, on the same conditions', async () => {
      const store = subject().store();
      const task = makeTask({ name: unique('job') });
      await store.insertTasks([task]);
      const wrong = { ...task, state: 'THROTTLED' as const };
      expect(await store.transition({ task: wrong })).toEqual({ kind: 'conflict', current: task });
      expect(await store.transition({ task })).toEqual({ kind: 'committed' });
      expect(await store.getTask(task.taskId)).toBeUndefined();
      expect(await indexesOf(subject(), task)).toEqual([]);
      expect(await store.transition({ task })).toEqual({ kind: 'conflict' });
    });

    it('keeps ended tasks for two days and live ones for ever', async () => {
      const store = subject().store();
      const running = placed('RUNNING');
      await store.insertTasks([running]);
      expect(await rawTask(subject(), running)).not.toHaveProperty('expiresAt');
      const lost = step(running, 'LOST');
      await store.transition({ task: running, next: lost });
      const end = lost.events.at(-1)?.at as number;
      expect(await rawTask(subject(), running)).toHaveProperty(
        'expiresAt',
        Math.floor((end + 2 * dayMs) / 1000),
      );
    });
  });

  describe('transition with a successor', () => {
    it('ends the one and begins the other', async () => {
      const store = subject().store();
      const before = placed('RUNNING');
      await store.insertTasks([before]);
      const next = step(before, 'FAILED');
      const heir = successor(next);
      expect(await store.transition({ task: before, next, successor: heir })).toEqual({ kind: 'committed' });
      expect(await store.getTask(before.taskId)).toEqual(next);
      expect(await store.getTask(heir.taskId)).toEqual(heir);
      expect(await indexesOf(subject(), heir)).toEqual(['pending']);
    });

    it('writes neither when the predecessor has moved on', async () => {
      const store = subject().store();
      const before = placed('RUNNING');
      await store.insertTasks([before]);
      const killing = step(before, 'KILLING');
      await store.transition({ task: before, next: killing });
      const next = step(before, 'FAILED');
      const heir = successor(next);
      expect(await store.transition({ task: before, next, successor: heir })).toEqual({
        kind: 'conflict',
        current: killing,
      });
      expect(await store.getTask(heir.taskId)).toBeUndefined();
    });

    it('ends the task alone when its replacement has been made already', async () => {
      const store = subject().store();
      const before = placed('RUNNING');
      const next = step(before, 'FAILED');
      const first = successor(next);
      await store.insertTasks([before, first]);
      const second = successor(next);
      expect(await store.transition({ task: before, next, successor: second })).toEqual({
        kind: 'committed',
      });
      const rows = await store.listTasks(before, [0, 0]);
      expect(rows).toEqual([next, first]);
    });
  });

  describe('transitionAll', () => {
    it('commits each by itself and answers in order', async () => {
      const store = subject().store();
      const tasks = makeTasks(60, { name: unique('job') });
      await store.insertTasks(tasks);
      const writes = tasks.map((task, index) => {
        const next = step(task, 'KILLED');
        // Every third is stale, every fifth is replaced.
        const read = index % 3 === 0 ? { ...task, state: 'THROTTLED' as const } : task;
        return { task: read, next, ...(index % 5 === 0 && { successor: successor(next) }) };
      });
      const outcomes = await store.transitionAll(writes);
      expect(outcomes.map(({ kind }) => kind)).toEqual(
        tasks.map((_task, index) => (index % 3 === 0 ? 'conflict' : 'committed')),
      );
      const rows = await store.listTasks(tasks[0] as Task, [0, 59]);
      expect(rows.filter(({ generation }) => generation === 2)).toHaveLength(8);
      expect(await store.transitionAll([])).toEqual([]);
    });
  });

  describe('transitionAll, one by one or in batches,', () => {
    const deadline = { deadlineAt: t0 + 300_000 };
    const from = (state: TaskState, over: Partial<Task> = {}) => placed(state, { ...deadline, ...over });

    it('writes the same rows as transition does', async () => {
      const store = subject().store();
      const cases: (readonly [Task, Task | undefined])[] = [
        [from('ASSIGNED'), undefined],
        ...(['STARTING', 'RUNNING', 'KILLING', 'FINISHED', 'LOST'] as const).flatMap((state) => {
          const timed = state === 'STARTING' || state === 'KILLING' ? deadline : {};
          return (['ASSIGNED', 'STARTING', 'PREEMPTING'] as const).map((start) => {
            const before = from(start);
            return [before, step(before, state, timed)] as const;
          });
        }),
      ];
      const twins = cases.map(([before, next]) => {
        const name = unique('twin');
        const rename = (task: Task): Task => makeTask({ ...task, name, taskId: undefined as never });
        const twin = rename(before);
        return [twin, next && { ...rename(next), taskId: twin.taskId }] as const;
      });
      await store.insertTasks([...cases, ...twins].map(([before]) => before));
      for (const [task, next] of twins) {
        expect(await store.transition({ task, ...(next && { next }) })).toEqual({ kind: 'committed' });
      }
      const outcomes = await store.transitionAll(
        cases.map(([task, next]) => ({ task, ...(next && { next }) })),
      );
      expect(outcomes).toEqual(cases.map(() => ({ kind: 'committed' })));
      for (const [index, [task, next]] of cases.entries()) {
        expect(await store.getTask(task.taskId)).toEqual(next);
        expect(await indexesOf(subject(), task)).toEqual(
          await indexesOf(subject(), twins[index]?.[0] as Task),
        );
      }
    });

    it('shows the row as it is to whoever came late, and nothing for one that is gone', async () => {
      const store = subject().store();
      const stale = from('RUNNING');
      const partitioned = step(stale, 'PARTITIONED');
      const back = step(partitioned, 'RUNNING');
      const [fresh, gone] = [from('RUNNING'), from('RUNNING')];
      await store.insertTasks([stale, fresh]);
      await store.transition({ task: stale, next: partitioned });
      await store.transition({ task: partitioned, next: back });
      const writes = [stale, gone, fresh].map((task) => ({ task, next: step(task, 'FINISHED') }));
      expect(await store.transitionAll(writes)).toEqual([
        { kind: 'conflict', current: back },
        { kind: 'conflict' },
        { kind: 'committed' },
      ]);
      expect(await store.getTask(stale.taskId)).toEqual(back);
    });

    it('takes one of two changes of one task, whichever comes first', async () => {
      const store = subject().store();
      const [task, other] = [from('RUNNING'), from('RUNNING')];
      await store.insertTasks([task, other]);
      const ends = [task, other, task].map((one, index) => ({
        task: one,
        next: step(one, index === 2 ? 'LOST' : 'FINISHED'),
      }));
      const kinds = (await store.transitionAll(ends)).map(({ kind }) => kind);
      expect(kinds[1]).toBe('committed');
      expect(new Set([kinds[0], kinds[2]])).toEqual(new Set(['committed', 'conflict']));
    });
  });

  describe('the sparse indexes', () => {
    const ended: readonly TaskState[] = ['FINISHED', 'FAILED', 'KILLED', 'LOST'];
    const deadline = { deadlineAt: t0 + 300_000 };
    const cases: readonly (readonly [TaskState, Partial<Task>, readonly string[]])[] = [
      ['THROTTLED', { ...deadline, agentId: undefined as never, grant: undefined as never }, ['due']],
      ...onAgentStates.map((state) => {
        const timed = state !== 'RUNNING';
        return [state, timed ? deadline : {}, timed ? ['due', 'onagent'] : ['onagent']] as const;
      }),
      ...ended.map((state) => [state, {}, []] as const),
    ];

    it.each(cases)(
      'hold a task in %s where it belongs, however it got there',
      async (state, over, indexes) => {
        const store = subject().store();
        const from = placed('STARTING', deadline);
        await store.insertTasks([from]);
        expect(await indexesOf(subject(), from)).toEqual(['due', 'onagent']);
        const { agentId: _agent, grant: _grant, ...free } = step(from, state, deadline);
        const next: Task = state === 'THROTTLED' ? free : step(from, state, over);
        await store.transition({ task: from, next });
        expect(await indexesOf(subject(), from)).toEqual(indexes);
        expect(await store.getTask(from.taskId)).toEqual(next);
      },
    );

    it('hold a task that stops waiting or starts to wait', async () => {
      const store = subject().store();
      const throttled = makeTask({
        name: unique('job'),
        state: 'THROTTLED',
        events: [{ state: 'THROTTLED', at: t0 }],
        ...deadline,
      });
      await store.insertTasks([throttled]);
      expect(await indexesOf(subject(), throttled)).toEqual(['due']);
      const pending = step(throttled, 'PENDING');
      await store.transition({ task: throttled, next: pending });
      expect(await indexesOf(subject(), throttled)).toEqual(['pending']);
      await store.transition({ task: pending, next: step(pending, 'KILLED') });
      expect(await indexesOf(subject(), throttled)).toEqual([]);
    });
  });
}
