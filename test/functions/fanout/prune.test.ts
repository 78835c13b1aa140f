// History and jobs that nobody needs, from the change that makes them so to the rows that go.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pruneHistory } from '../../../functions/fanout/prune.ts';
import { defaultHistory } from '../../../shared/domain/task/history.ts';
import type { Task } from '../../../shared/model/task.ts';
import { makeTask, step, t0, unique } from '../../contract/fixtures.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

const hour = 3600_000;
let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

const deps = () => ({ store: world.store, history: defaultHistory, clock: () => world.now, log: world.log });

/** `count` generations of one instance; the last one runs. */
function crashLoop(name: string, instance: number, count: number): Task[] {
  return Array.from({ length: count }, (_, index) => {
    const task = makeTask({ name, instance, generation: index + 1 });
    const at = t0 + index * 1000;
    return index === count - 1
      ? step(task, 'RUNNING')
      : { ...task, state: 'FAILED' as const, events: [{ state: 'FAILED' as const, at }] };
  });
}

describe('the history of a job', () => {
  it('keeps its newest hundred, all live tasks and whatever is younger than an hour', async () => {
    const name = unique('job');
    const [one, two] = [crashLoop(name, 0, 91), crashLoop(name, 7, 61)];
    await world.store.insertTasks([...one, ...two]);
    const key = one[0] as Task;
    world.now = t0 + hour + 10_000;
    await pruneHistory(key, 7, deps());
    // 150 have ended; of the 50 oldest those of the first ten seconds are an hour old.
    expect(await world.store.listTasks(key, [0, 9])).toHaveLength(152 - 22);
    world.now = t0 + 2 * hour;
    await pruneHistory(key, 7, deps());
    const left = await world.store.listTasks(key, [0, 9]);
    expect(left.filter(({ state }) => state === 'FAILED')).toHaveLength(100);
    expect(left.filter(({ state }) => state === 'RUNNING')).toHaveLength(2);
    const ended = left.filter(({ state }) => state === 'FAILED');
    const oldest = Math.min(...ended.map(({ events }) => events.at(-1)?.at ?? 0));
    expect(oldest).toBe(t0 + 25_000);
    await pruneHistory(key, 7, deps());
    expect(await world.store.listTasks(key, [0, 9])).toHaveLength(102);
  });
});

describe('a job that has ended', () => {
  const expiring = async () =>
    (await world.dump()).filter((row) => row.includes('expiresAt') && row.includes('JOB#'));

  it('gets a day to go, and none if it is given more to do', async () => {
    await world.report([registration('a1')]);
    const job = submission({}, { service: false });
    await world.call('POST', pathOf(job), { body: job });
    await world.run();
    expect(await expiring()).toEqual([]);
    const statuses = (await world.tasks(job)).map(({ taskId }): [string, string] => [taskId, 'FINISHED']);
    await world.report([statusReport('a1', statuses)]);
    await world.run();
    const [row = ''] = await expiring();
    const day = Number(/"expiresAt":\{"N":"(\d+)"/.exec(row)?.[1]);
    expect(day).toBe(t0 / 1000 + 2 * 86_400);
    await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 1 } });
    expect(await expiring()).toEqual([]);
  });

  it('keeps that day when it is killed again, also if that kill can be told from its repeat', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    const killed = await expiring();
    expect(killed).toHaveLength(1);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {}, headers: { 'idempotency-key': 'again' } });
    await world.run();
    expect(await expiring()).toEqual(killed);
  });
});
