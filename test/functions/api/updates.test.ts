// Planning, calling, listing and showing updates. The updater is not part of this.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateDetailSchema, updateListSchema, updatePlanSchema } from '../../../shared/api/updates.ts';
import type { JobSubmission } from '../../../shared/model/job.ts';
import { unique } from '../../contract/fixtures.ts';
import { changed, replace, roomyAgent, service, updateCalls } from '../support/update-calls.ts';
import { createWorld, pathOf, registration, smallResources, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.report([roomyAgent()]);
});
afterAll(() => world.stop());

const { runningJob, start, plan } = updateCalls(() => world);

describe('plan', () => {
  it('says what is ended, created and kept, and where each new task would go', async () => {
    const job = await runningJob();
    const [first] = job.configs;
    const task = changed(job)[0]?.task;
    if (!first || !task) throw new Error('the job has no config');
    const configs = [
      { instances: [[0, 0]] as [number, number][], task: first.task },
      { instances: [[1, 3]] as [number, number][], task },
    ];
    const before = await world.dump();
    const settings = { strategy: { kind: 'batch', groupSize: 2 } };
    const answer = await plan(job, { ...replace(configs), settings });
    expect(answer.status).toBe(200);
    const body = updatePlanSchema.parse(answer.body);
    expect(body).toMatchObject({
      changed: true,
      batches: 2,
      unlisted: 0,
      diff: { add: [[3, 3]], remove: [], update: [[1, 2]], unchanged: [[0, 0]] },
    });
    const seen = body.steps.map(({ instance, batch, kill, create }) => [
      instance,
      batch,
      kill?.state ?? null,
      create?.agentId ?? null,
    ]);
    expect(seen).toEqual([
      [3, 1, null, 'a1'],
      [1, 1, 'RUNNING', 'a1'],
      [2, 2, 'RUNNING', 'a1'],
    ]);
    expect(await world.dump()).toEqual(before);
    expect(await start(job, { ...replace(configs), settings, expectedVersion: body.version })).toMatchObject({
      status: 202,
    });
  });

  it('says why a new task would find no place, with numbers', async () => {
    const job = await runningJob();
    const [entry] = job.configs;
    if (!entry) throw new Error('the job has no config');
    const task = { ...entry.task, resources: { ...smallResources, ramMb: 500_000 } };
    const { body } = await plan(job, replace([{ ...entry, task }]));
    expect(body.steps[0].create).toMatchObject({
      agentId: null,
      reason: {
        verdict: 'neverFits',
        nearest: { agentId: 'a1', reasons: [{ code: 'RAM', needed: 500_000 }] },
      },
    });
  });

  it('counts the room that a batch gives back, and limits per host', async () => {
    const tight = service({}, { pool: 'tight', resources: { ...smallResources, cpuMilli: 3000 } });
    await world.report([registration('t1', { pool: 'tight' })]);
    const one = {
      ...tight,
      configs: tight.configs.map((entry) => ({ ...entry, instances: [[0, 0]] as [number, number][] })),
    };
    await world.call('POST', pathOf(one), { body: one });
    await world.run();
    const swap = await plan(one, replace(changed(one)));
    expect(swap.body.steps).toMatchObject([{ kill: { agentId: 't1' }, create: { agentId: 't1' } }]);
    const grow = await plan(one, { change: { kind: 'add', count: 1 } });
    expect(grow.body.steps).toMatchObject([
      { kill: null, create: { agentId: null, reason: { verdict: 'waiting', counts: [{ code: 'CPU' }] } } },
    ]);
  });

  it('lists no more steps than it can work out, and says how many it left out', async () => {
    const large = service({}, { pool: 'empty' });
    const configs = large.configs.map((entry) => ({
      ...entry,
      instances: [[0, 4999]] as [number, number][],
    }));
    const { body } = await plan(large, replace(configs));
    expect(body).toMatchObject({ changed: true, version: 0, batches: 5000, unlisted: 4000 });
    expect(body.steps).toHaveLength(1000);
    expect(body.steps[0].create.reason.counts).toEqual([{ code: 'NO_AGENTS', agents: 0 }]);
  });
});

describe('calls', () => {
  /** Each call in turn, and the status it leads to; undefined = refused. */
  const table: readonly [name: string, settings: object, steps: readonly [string, string | undefined][]][] = [
    [
      'pause and resume',
      {},
      [
        ['pause', 'ROLL_FORWARD_PAUSED'],
        ['pause', 'ROLL_FORWARD_PAUSED'],
        ['resume', 'ROLLING_FORWARD'],
      ],
    ],
    [
      'rollback, which cannot be turned again',
      {},
      [
        ['rollback', 'ROLLING_BACK'],
        ['pause', 'ROLL_BACK_PAUSED'],
        ['rollback', 'ROLLING_BACK'],
      ],
    ],
    [
      'abort as it is',
      {},
      [
        ['hold', 'ABORTED'],
        ['hold', 'ABORTED'],
        ['resume', undefined],
        ['rollback', undefined],
      ],
    ],
    [
      'abort and put back',
      {},
      [
        ['pause', 'ROLL_FORWARD_PAUSED'],
        ['back', 'ROLLING_BACK'],
        ['back', 'ROLLING_BACK'],
      ],
    ],
    [
      'pulses',
      { blockIfNoPulsesAfterMs: 60_000 },
      [
        ['resume', 'ROLL_FORWARD_AWAITING_PULSE'],
        ['pulse', 'ROLLING_FORWARD'],
        ['pulse', 'ROLLING_FORWARD'],
      ],
    ],
  ];

  const requestOf = (call: string) => {
    const message = 'because';
    if (call === 'hold') return { route: 'abort', body: { instances: 'hold', message } };
    if (call === 'back') return { route: 'abort', body: { instances: 'rollback', message } };
    return { route: call, body: call === 'pulse' ? {} : { message } };
  };

  it.each(table)('%s', async (_name, settings, steps) => {
    const job = await runningJob();
    const { updateId } = (await start(job, { ...replace(changed(job)), settings })).body.update;
    for (const [call, status] of steps) {
      const { route, body } = requestOf(call);
      const answer = await world.call('POST', `${pathOf(job)}/updates/${updateId}/${route}`, { body });
      if (status === undefined) {
        expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
        expect(answer.body.detail).toContain('Cannot transition update from ABORTED');
      } else {
        expect(answer).toMatchObject({ status: 202, body: { update: { status } } });
      }
    }
  });

  it('lets the job go when the update is given up', async () => {
    const job = await runningJob();
    const path = `${pathOf(job)}/updates`;
    await start(job, replace(changed(job)));
    await world.call('POST', `${path}/active/abort`, { body: { instances: 'hold' } });
    expect((await world.store.getJob(job))?.updateId).toBeUndefined();
    expect(await world.call('GET', `${path}/active`)).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND' },
    });
    expect((await world.call('GET', `${path}/latest`)).body).toMatchObject({
      status: 'ABORTED',
      active: false,
    });
    expect(await world.call('POST', `${path}/latest/pulse`, { body: {} })).toMatchObject({
      status: 202,
      body: { answer: 'FINISHED' },
    });
  });

  it.each([
    ['an abort that does not say what becomes of the instances', 'active/abort', {}, 400, 'body instances'],
    ['a message that is too long', 'active/pause', { message: 'x'.repeat(1025) }, 400, 'message'],
    ['an unknown update', 'nosuch/pause', {}, 404, 'Update does not exist: nosuch'],
  ])('refuses %s', async (_what, path, body, status, says) => {
    const job = await runningJob();
    await start(job, replace(changed(job)));
    const answer = await world.call('POST', `${pathOf(job)}/updates/${path}`, { body });
    expect(answer.status).toBe(status);
    expect(answer.body.detail).toContain(says);
  });
});

describe('lists', () => {
  it('are newest first, filtered by status and user, across jobs and within one', async () => {
    const role = unique('role');
    const jobs = [await runningJob(service({ role })), await runningJob(service({ role }))];
    const userArn = 'arn:aws:iam::1:user/ann';
    const ids: string[] = [];
    for (const [index, job] of [...jobs, jobs[0] as JobSubmission].entries()) {
      world.now += 1000;
      const path = `${pathOf(job)}/updates`;
      const body = replace(changed(job, `echo ${index}`));
      const answer = await world.call('POST', path, { body, ...(index === 1 && { userArn }) });
      ids.push(answer.body.update.updateId);
      if (index === 0) await world.call('POST', `${path}/active/abort`, { body: { instances: 'hold' } });
    }
    const list = async (path: string, query: Record<string, string> = {}) => {
      const { body } = await world.call('GET', path, { query });
      return updateListSchema.parse(body).updates.map(({ updateId }) => updateId);
    };
    const [first, second, third] = ids;
    expect(await list(`/updates/${role}`)).toEqual([third, second, first]);
    expect(await list(`/updates/${role}`, { status: 'ABORTED,FAILED' })).toEqual([first]);
    expect(await list(`/updates/${role}`, { user: userArn })).toEqual([second]);
    expect(await list(`${pathOf(jobs[0] as JobSubmission)}/updates`)).toEqual([third, first]);
    expect(await list('/updates', { status: 'ABORTED' })).toContain(first);
  });
});

describe('info', () => {
  it('says what each working instance waits for and why no agent takes it', async () => {
    const job = await runningJob();
    const { updateId } = (await start(job, replace(changed(job)))).body.update;
    const stored = await world.store.getUpdate(job, updateId);
    if (!stored) throw new Error('the update is not stored');
    const { update } = stored;
    const working = [{ since: world.now, instances: [[0, 1]] as [number, number][] }];
    const next = {
      ...update,
      progress: { ...update.progress, visited: 2, working, taken: [[0, 0]] as [number, number][] },
    };
    const written = await world.store.writeUpdate({
      before: stored,
      next,
      now: world.now,
      instanceEvents: [{ instance: 0, action: 'INSTANCE_UPDATING', at: world.now }],
    });
    expect(written.kind).toBe('committed');
    const path = `${pathOf(job)}/updates/${updateId}`;
    const { body } = await world.call('GET', path);
    expect(updateDetailSchema.parse(body)).toMatchObject({
      progress: { total: 3, waiting: 1, working: 2, done: 0, failed: 0 },
      batch: { number: 1 },
      batches: 3,
      instances: { waiting: [[2, 2]], working: [[0, 1]] },
      working: [
        { instance: 0, state: 'RUNNING', agentId: 'a1', waitsFor: null },
        { instance: 1, state: 'RUNNING', waitsFor: 'BUDGET' },
      ],
    });
    const events = await world.call('GET', `${path}/events`);
    expect(events.body.events).toMatchObject([{ instance: 0, action: 'INSTANCE_UPDATING', message: null }]);
  });
});
