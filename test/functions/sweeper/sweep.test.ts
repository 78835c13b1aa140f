// The sweep: what is overdue ends, what is not is left alone, pools that wait are woken.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../shared/store/port.ts';
import { makeConfig, t0 } from '../../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
  queues,
  registration,
  smallResources,
  statusReport,
  submission,
  type World,
} from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

/** The roll call as it was at last, and since when it was in time. */
const called = (calledAt: number, trustedSince: number) => ({
  getRoster: async () => ({ version: 1, calledAt, trustedSince, censusAt: 0, agents: new Map() }),
});

const run = (remainingMs = 60_000, over: Partial<Store> = {}) =>
  world.sweep({ ...called(world.now, 0), ...over }, remainingMs);

async function assignedJob() {
  await world.report([registration('a1')]);
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  return job;
}

describe('sweep', () => {
  it('ends what overstayed ASSIGNED as LOST and replaces it, exactly once', async () => {
    const job = await assignedJob();
    world.now = t0 + 5 * 60_000;
    expect(await run()).toMatchObject({ timedOut: 3, complete: true });
    expect(await run()).toMatchObject({ timedOut: 0 });
    const tasks = await world.tasks(job);
    const lost = tasks.filter(({ state }) => state === 'LOST');
    expect(lost.map(({ events }) => events.at(-1)?.message)).toEqual(Array(3).fill('Task timed out'));
    expect(tasks.filter(({ generation }) => generation === 2)).toHaveLength(3);
    await world.run();
    const kills = world.agents.of('a1').filter(({ kind }) => kind === 'kill');
    expect(kills.flatMap((command) => (command.kind === 'kill' ? command.taskIds : [])).sort()).toEqual(
      lost.map(({ taskId }) => taskId).sort(),
    );
    expect((await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED')).toHaveLength(3);
  });

  it('gives nobody up for want of a report while reports are held up, nor until they have had time to arrive', async () => {
    const job = await assignedJob();
    world.now = t0 + 60 * 60_000;
    // No roll call yet, or none for long: an outage that is just over.
    expect(await run(60_000, { getRoster: async () => undefined })).toMatchObject({ timedOut: 0, held: 3 });
    expect(await run(60_000, called(t0, t0))).toMatchObject({ timedOut: 0, held: 3, complete: true });
    const lately = world.now - 2 * 60_000;
    expect(await run(60_000, called(world.now, lately))).toMatchObject({ timedOut: 0, held: 3 });
    expect((await world.tasks(job)).every(({ state }) => state === 'ASSIGNED')).toBe(true);
    // Whoever watches sees that tasks are overdue, and for how long.
    expect(world.meter.counts.get('TimeoutsHeld')).toBe(9);
    expect(world.meter.values.get('SweepLag')).toEqual(Array(3).fill(55 * 60_000));
    const earlier = world.now - 3 * 60_000;
    expect(await run(60_000, called(world.now, earlier))).toMatchObject({ timedOut: 3, held: 0 });
  });

  it('finds an accepted job whose reconcile hint was lost, after a minute', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    // The stream record is never delivered: no hint goes out.
    world.now = t0 + 59_999;
    expect(await run()).toMatchObject({ jobsWoken: 0 });
    world.now = t0 + 60_000;
    expect(await run()).toMatchObject({ jobsWoken: 1 });
    await world.run();
    expect(await world.tasks(job)).toHaveLength(3);
    world.now = t0 + 600_000;
    expect(await run()).toMatchObject({ jobsWoken: 0 });
  });

  it('leaves alone what is in time, and puts off an index entry that is early', async () => {
    const job = await assignedJob();
    world.now = t0 + 200_000;
    const starting = (await world.tasks(job)).map(({ taskId }): [string, string] => [taskId, 'STARTING']);
    await world.report([statusReport('a1', starting)]);
    // When it was assigned it was to be looked at after a minute and a half.
    expect(await run()).toMatchObject({ timedOut: 0, deferred: 3 });
    world.now = t0 + 499_999;
    expect(await run()).toMatchObject({ timedOut: 0, deferred: 0 });
    world.now = t0 + 500_000;
    expect(await run()).toMatchObject({ timedOut: 3 });
  });

  it('frees THROTTLED tasks whose timer was lost', async () => {
    const job = await assignedJob();
    for (let round = 0; round < 2; round++) {
      const active = (await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED');
      world.now += 1000;
      await world.report([
        statusReport(
          'a1',
          active.map(({ taskId }): [string, string] => [taskId, 'FAILED']),
        ),
      ]);
      await world.run();
    }
    const throttled = (await world.tasks(job)).filter(({ state }) => state === 'THROTTLED');
    expect(throttled).toHaveLength(3);
    const why = await world.call('GET', `${pathOf(job)}/why`);
    expect(why.body.throttled.map(({ instance }: { instance: number }) => instance)).toEqual([0, 1, 2]);
    world.now += 10 * 60_000;
    expect(await run()).toMatchObject({ released: 3, timedOut: 0 });
    await world.run();
    expect((await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED')).toHaveLength(3);
  });

  it('wakes the pools in which tasks wait, so a lost wake-up heals', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    await world.reconcile(job);
    expect(await run()).toMatchObject({ poolsWoken: 1 });
    expect(world.messages.bodies(queues.matcher)).toEqual([{ v: 1, pool: 'default' }]);
  });

  it.each<[string, () => Partial<Store>]>([
    ['pools cannot be read', () => ({ pendingPools: () => Promise.reject(new Error('down')) })],
    ['jobs cannot be read', () => ({ listUnreconciled: () => Promise.reject(new Error('down')) })],
    [
      'another shard cannot be read',
      () => ({
        listDue: (shard, now, page) =>
          shard === 0 ? Promise.reject(new Error('down')) : world.store.listDue(shard, now, page),
      }),
    ],
  ])('ends what it can when %s, and fails only then', async (_what, breaking) => {
    await world.report([registration('a1')]);
    // Enough tasks that every shard of the index holds some.
    const config = makeConfig({ resources: { ...smallResources, cpuMilli: 1 } });
    const job = submission({ configs: [{ instances: [[0, 49]], task: config }] });
    await world.call('POST', pathOf(job), { body: job });
    await world.run();
    world.now = t0 + 5 * 60_000;
    await expect(run(60_000, breaking())).rejects.toThrow('down');
    const lost = (await world.tasks(job)).filter(({ state }) => state === 'LOST');
    expect(lost.length).toBeGreaterThan(25);
  });

  it('leaves the rest to the next minute when its time is short', async () => {
    await assignedJob();
    world.now = t0 + 600_000;
    expect(await run(1000)).toMatchObject({ timedOut: 0, complete: false });
    expect(await run()).toMatchObject({ timedOut: 3, complete: true });
  });
});
