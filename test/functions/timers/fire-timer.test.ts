// Timers: early, on time, late, repeated, and overtaken by events.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fireTimer } from '../../../functions/timers/fire-timer.ts';
import type { Task } from '../../../shared/model/task.ts';
import type { Timer } from '../../../shared/model/wake.ts';
import { makeTask, t0 } from '../../contract/fixtures.ts';
import { createWorld, queues, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

const fire = (timer: Timer) =>
  fireTimer(timer, {
    store: world.store,
    messages: world.messages,
    agents: world.agents,
    timersQueueUrl: queues.timers,
    jobsQueueUrl: queues.jobs,
    ...world.common,
  });

async function stored(over: Partial<Task>): Promise<Task> {
  const task = makeTask(over);
  await world.store.insertTasks([task]);
  return task;
}
const throttled = (): Promise<Task> =>
  stored({ state: 'THROTTLED', deadlineAt: t0 + 1_000_000, events: [{ state: 'THROTTLED', at: t0 }] });

describe('unthrottle', () => {
  it('is armed again while it is early, for what is left', async () => {
    const { taskId } = await throttled();
    await fire({ v: 1, kind: 'unthrottle', taskId, dueAt: t0 + 5 });
    expect(world.messages.sent).toMatchObject([{ queueUrl: queues.timers, message: { delaySeconds: 900 } }]);
    expect(world.messages.bodies(queues.timers)).toEqual([
      { v: 1, kind: 'unthrottle', taskId, dueAt: t0 + 1_000_000 },
    ]);
    expect((await world.store.getTask(taskId))?.state).toBe('THROTTLED');
  });

  it('frees the task when it is due, once', async () => {
    const { taskId } = await throttled();
    world.now = t0 + 1_000_000;
    await fire({ v: 1, kind: 'unthrottle', taskId, dueAt: t0 + 1_000_000 });
    const after = await world.dump();
    expect((await world.store.getTask(taskId))?.state).toBe('PENDING');
    await fire({ v: 1, kind: 'unthrottle', taskId, dueAt: t0 + 1_000_000 });
    expect(await world.dump()).toEqual(after);
    expect(world.messages.sent).toEqual([]);
  });

  it('does nothing for a task that is gone', async () => {
    await fire({ v: 1, kind: 'unthrottle', taskId: makeTask().taskId, dueAt: t0 });
    expect(await world.dump()).toEqual([]);
  });
});

describe('the alarm of an update', () => {
  it('wakes it through the queue of jobs, where its steps go one by one', async () => {
    const key = { role: 'web', environment: 'prod', name: 'hello' };
    await fire({ v: 1, kind: 'update', key, updateId: 'u1' });
    expect(world.messages.sent).toMatchObject([
      { queueUrl: queues.jobs, message: { groupId: 'update:web/prod/hello' } },
    ]);
    expect(world.messages.bodies(queues.jobs)).toEqual([{ v: 1, key, updateId: 'u1', instances: [] }]);
  });
});

describe('kill retry', () => {
  const killing: Partial<Task> = {
    state: 'KILLING',
    agentId: 'a1',
    grant: { gpus: [], ports: {} },
    events: [{ state: 'KILLING', at: t0 }],
  };

  it('sends the kill again and waits longer', async () => {
    const { taskId } = await stored(killing);
    await fire({ v: 1, kind: 'killRetry', taskId, previousMs: 20_000 });
    expect(world.agents.of('a1')).toEqual([{ v: 1, kind: 'kill', taskIds: [taskId] }]);
    expect(world.messages.sent[0]?.message.delaySeconds).toBe(30);
    expect(world.messages.bodies(queues.timers)).toEqual([
      { v: 1, kind: 'killRetry', taskId, previousMs: 30_000 },
    ]);
  });

  it('ends with the task', async () => {
    const { taskId } = await stored({ ...killing, state: 'KILLED', events: [{ state: 'KILLED', at: t0 }] });
    await fire({ v: 1, kind: 'killRetry', taskId, previousMs: 20_000 });
    await fire({ v: 1, kind: 'killRetry', taskId: makeTask().taskId, previousMs: 20_000 });
    expect(world.agents.sent).toEqual([]);
    expect(world.messages.sent).toEqual([]);
  });
});
