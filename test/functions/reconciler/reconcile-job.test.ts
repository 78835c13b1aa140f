// Reconcile on the real store: time that runs out, specs that change meanwhile, tasks that move meanwhile.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeConfig } from '../../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
  registration,
  smallResources,
  submission,
  type World,
} from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

async function accepted(instances: number) {
  const config = makeConfig({ resources: smallResources });
  const job = submission({ configs: [{ instances: [[0, instances - 1]], task: config }] });
  expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(201);
  return job;
}

const reconcile: World['reconcile'] = (...args) => world.reconcile(...args);

describe('reconcileJob', () => {
  it('has nothing to do for a job that is gone or up to date', async () => {
    expect(await reconcile({ role: 'web', environment: 'prod', name: 'none' })).toBe('done');
    const job = await accepted(2);
    expect(await reconcile(job)).toBe('done');
    const before = await world.dump();
    expect(await reconcile(job)).toBe('done');
    expect(await world.dump()).toEqual(before);
  });

  it('stops between intervals when its time is short, and the next run completes it', async () => {
    const job = await accepted(6000);
    let looks = 0;
    expect(await reconcile(job, {}, () => (looks++ < 4 ? 60_000 : 1000))).toBe('outOfTime');
    expect(await world.tasks(job)).toHaveLength(4000);
    expect(await world.store.getJob(job)).toMatchObject({ reconciledVersion: 0 });
    expect(await reconcile(job)).toBe('done');
    expect(await world.tasks(job)).toHaveLength(6000);
  });

  it('goes on with the newer spec when the job is edited while it works', async () => {
    const job = await accepted(3);
    let edited = false;
    const outcome = await reconcile(job, {
      insertTasks: async (tasks) => {
        if (!edited) {
          edited = true;
          await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 2 } });
        }
        return world.store.insertTasks(tasks);
      },
    });
    expect(outcome).toBe('done');
    expect(await world.tasks(job)).toHaveLength(5);
    expect(await world.store.getJob(job)).toMatchObject({ specVersion: 2, reconciledVersion: 2 });
  });

  it('plans an interval again when a task moved between plan and write', async () => {
    await world.report([registration('a1')]);
    const job = await accepted(3);
    await reconcile(job);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    let moved = false;
    const outcome = await reconcile(job, {
      transitionAll: async (writes) => {
        if (!moved) {
          moved = true;
          await world.match('default');
        }
        return world.store.transitionAll(writes);
      },
    });
    expect(outcome).toBe('done');
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(['KILLING', 'KILLING', 'KILLING']);
  });

  it('two at once end in the same tasks', async () => {
    const job = await accepted(600);
    await Promise.all([reconcile(job), reconcile(job), reconcile(job)]);
    const tasks = await world.tasks(job);
    expect(tasks).toHaveLength(600);
    expect(tasks.every(({ generation, state }) => generation === 1 && state === 'PENDING')).toBe(true);
  });
});
