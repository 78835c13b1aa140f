// More work than the installation is to hold is refused before anything is stored, with a hint; what is there is served.
import { afterEach, describe, expect, it } from 'vitest';
import { createAdmission } from '../../../functions/api/admission.ts';
import type { ChangeDeps } from '../../../functions/api/context.ts';
import { addInstances } from '../../../functions/api/edit-job.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';
import { FakeLog } from '../support/fakes.ts';
import { createWorld, pathOf, submission, type World } from '../support/world.ts';

/** An admission whose counts are given, with the number of counts made. */
function admissionOf(counts: { tasks: number; jobs: number }, limit = 100) {
  const state = { now: 0, counted: 0, ...counts };
  const admission = createAdmission({
    store: {
      countBacklog: async () => {
        state.counted += 1;
        return { tasks: state.tasks, jobs: state.jobs };
      },
    },
    clock: () => state.now,
    log: new FakeLog(),
    limit,
  });
  const ask = async (instances: number, pool = 'default'): Promise<string> => {
    try {
      await admission.admit(new Map([[pool, instances]]));
      return 'taken';
    } catch (error) {
      if (isBorealisError(error)) return `${error.code} ${error.retryAfterSecs}`;
      throw error;
    }
  };
  return { state, ask };
}

describe('the admission of work', () => {
  it('takes what comes while less waits than the limit, even one job larger than the rest of it', async () => {
    const { ask } = admissionOf({ tasks: 90, jobs: 9 });
    expect(await ask(100_000)).toBe('taken');
    expect(await ask(1)).toBe('BACKLOG_FULL 60');
  });

  it('counts jobs whose tasks are not made yet as well', async () => {
    const { ask } = admissionOf({ tasks: 50, jobs: 50 });
    expect(await ask(1)).toBe('BACKLOG_FULL 5');
  });

  it('counts once for many submissions, and what it took meanwhile itself', async () => {
    const { ask, state } = admissionOf({ tasks: 0, jobs: 0 });
    const answers = await Promise.all(Array.from({ length: 120 }, () => ask(1)));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(100);
    expect(state.counted).toBe(1);
  });

  it('takes work again by itself once the backlog is worked off', async () => {
    const { ask, state } = admissionOf({ tasks: 130, jobs: 0 });
    expect(await ask(1)).toBe('BACKLOG_FULL 14');
    state.tasks = 20;
    expect(await ask(1)).toBe('BACKLOG_FULL 14');
    state.now += 2_000;
    expect(await ask(1)).toBe('taken');
  });

  it('believes a large count, which costs more, for longer', async () => {
    const { ask, state } = admissionOf({ tasks: 20_000, jobs: 0 }, 50_000);
    await ask(1);
    state.now += 14_999;
    await ask(1);
    expect(state.counted).toBe(1);
    state.now += 1;
    await ask(1);
    expect(state.counted).toBe(2);
  });

  it('judges each pool by itself', async () => {
    const { ask, state } = admissionOf({ tasks: 0, jobs: 0 });
    expect(await ask(100, 'a')).toBe('taken');
    expect(await ask(1, 'a')).toBe('BACKLOG_FULL 5');
    expect(await ask(1, 'b')).toBe('taken');
    expect(state.counted).toBe(2);
  });
});

describe('a full installation', () => {
  let world: World;
  afterEach(() => world.stop());

  it('refuses submissions and more instances with a hint, stores nothing of them, and still ends and shows jobs', async () => {
    world = await createWorld({ backlogLimit: 3 });
    const job = submission({ name: 'first' });
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(201);
    await world.run();
    const before = await world.dump();
    const more = submission({ name: 'second' });
    for (const [path, body] of [
      [pathOf(more), more],
      [`${pathOf(job)}/instances`, { count: 1 }],
    ] as const) {
      const answer = await world.call('POST', path, { body });
      expect([
        answer.status,
        answer.body.code,
        answer.headers['retry-after'],
        answer.body.retryAfterSecs,
      ]).toEqual([429, 'BACKLOG_FULL', '5', 5]);
      expect(answer.body.detail).toContain('nothing was stored');
    }
    expect(await world.dump()).toEqual(before);
    expect((await world.call('GET', pathOf(job))).status).toBe(200);
    expect((await world.call('POST', `${pathOf(job)}/kill`, { body: {} })).status).toBe(202);
    await world.run();
    world.now += 2_000;
    expect((await world.call('POST', pathOf(more), { body: more })).status).toBe(201);
  });

  it('answers the repeat of a submission it took with the job, though it takes nothing new', async () => {
    world = await createWorld({ backlogLimit: 3 });
    const job = submission({ name: 'first' });
    const headers = { 'idempotency-key': 'first-try' };
    const first = await world.call('POST', pathOf(job), { body: job, headers });
    expect(first.status).toBe(201);
    const before = await world.dump();
    expect(await world.call('POST', pathOf(job), { body: job, headers })).toEqual(first);
    const other = submission({ name: 'second' });
    expect(await world.call('POST', pathOf(other), { body: other, headers })).toMatchObject({
      status: 409,
      body: { code: 'TOKEN_REUSED' },
    });
    const unused = { 'idempotency-key': 'second-try' };
    expect(await world.call('POST', pathOf(other), { body: other, headers: unused })).toMatchObject({
      status: 429,
      body: { code: 'BACKLOG_FULL' },
    });
    expect(await world.dump()).toEqual(before);
  });

  it('counts instances that are added once, however many others are first', async () => {
    world = await createWorld();
    const job = submission({ name: 'first' });
    await world.call('POST', pathOf(job), { body: job });
    const admitted: number[] = [];
    let races = 3;
    const deps: ChangeDeps = {
      ...world.common,
      cluster: 'local',
      identity: 'none',
      version: '0.0.0',
      configs: createConfigCache(world.store),
      admission: { admit: async (demand) => void admitted.push(...demand.values()) },
      store: {
        ...world.store,
        updateJob: async (next, expected, token) => {
          if (races-- > 0) return { kind: 'conflict' };
          return world.store.updateJob(next, expected, token);
        },
      },
    };
    const request = {
      params: job,
      body: { count: 4 },
      query: {},
      headers: {},
      user: 'u',
      principal: undefined,
    };
    expect(await addInstances(request, deps)).toMatchObject({ job: { instances: 7 } });
    expect(admitted).toEqual([4]);
  });
});
