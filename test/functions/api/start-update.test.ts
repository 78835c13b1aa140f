// Starting updates: what each kind of change becomes, repeats, and what is refused and why. The updater is not part of this.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateDetailSchema } from '../../../shared/api/updates.ts';
import type { JobSubmission } from '../../../shared/model/job.ts';
import { unique } from '../../contract/fixtures.ts';
import { changed, replace, roomyAgent, service, updateCalls } from '../support/update-calls.ts';
import { createWorld, pathOf, submission, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.report([roomyAgent()]);
});
afterAll(() => world.stop());

const { runningJob, start, plan } = updateCalls(() => world);

describe('start', () => {
  let job: JobSubmission;
  beforeAll(async () => {
    job = await runningJob();
  });

  interface Row {
    readonly what: string;
    readonly body: (job: JobSubmission) => object;
    readonly diff: object;
    readonly initial: number[][];
    readonly desired: number[][];
  }
  const rows: Row[] = [
    {
      what: 'another config replaces every instance',
      body: (one) => replace(changed(one)),
      diff: { add: [], remove: [], update: [[0, 2]], unchanged: [] },
      initial: [[0, 2]],
      desired: [[0, 2]],
    },
    {
      what: 'one instance of it (a canary) leaves the others',
      body: (one) => ({ ...replace(changed(one)), only: [[1, 1]] }),
      diff: { add: [], remove: [], update: [[1, 1]], unchanged: [] },
      initial: [[1, 1]],
      desired: [[1, 1]],
    },
    {
      what: 'a restart replaces instances although their config is the same',
      body: () => ({ change: { kind: 'restart' }, only: [[0, 1]] }),
      diff: { add: [], remove: [], update: [[0, 1]], unchanged: [[2, 2]] },
      initial: [[0, 1]],
      desired: [[0, 1]],
    },
    {
      what: 'adding numbers on from the highest',
      body: () => ({ change: { kind: 'add', count: 2 } }),
      diff: { add: [[3, 4]], remove: [], update: [], unchanged: [[0, 2]] },
      initial: [],
      desired: [[3, 4]],
    },
    {
      what: 'shrinking takes the highest away',
      body: () => ({ change: { kind: 'remove', count: 2 } }),
      diff: { add: [], remove: [[1, 2]], update: [], unchanged: [[0, 0]] },
      initial: [[1, 2]],
      desired: [],
    },
  ];

  it.each(rows)('$what', async ({ body, diff, initial, desired }) => {
    const one = await runningJob();
    const answer = await start(one, { ...body(one), message: 'why not', metadata: { ticket: 'T-1' } });
    expect(answer).toMatchObject({ status: 202, body: { diff, update: { status: 'ROLLING_FORWARD' } } });
    const id = answer.body.update.updateId;
    const { body: info } = await world.call('GET', `${pathOf(one)}/updates/${id}`);
    expect(updateDetailSchema.parse(info)).toMatchObject({
      active: true,
      user: 'UNSECURE',
      message: 'why not',
      metadata: { ticket: 'T-1' },
    });
    expect(info.initial.flatMap((entry: { instances: number[][] }) => entry.instances)).toEqual(initial);
    expect(info.desired.flatMap((entry: { instances: number[][] }) => entry.instances)).toEqual(desired);
    expect(await world.store.getJob(one)).toMatchObject({ updateId: id });
  });

  it.each([
    [
      { maxFailedInstances: 3 },
      'maxFailedInstances: 3 of 3 instances: the update could never fail; at most 2',
    ],
    [{ maxPerInstanceFailures: 6667 }, 'maxPerInstanceFailures: 6667 for each of 3 instances'],
    [{ blockIfNoPulsesAfterMs: 59_000 }, 'blockIfNoPulsesAfterMs: an interval of 59000 ms is too short'],
    [{ slaAware: true }, 'slaAware: the new config has no SLA policy to go by'],
  ])('refuses %j for three instances, to start as to plan, and changes nothing', async (settings, says) => {
    const rows = await world.dump();
    for (const ask of [start, plan]) {
      const answer = await ask(job, { ...replace(changed(job)), settings });
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
      expect(answer.body.detail).toContain(says);
      expect(answer.body.detail).toContain('Nothing was started');
    }
    expect(await world.dump()).toEqual(rows);
  });

  it('does not take an instance that was killed, and whose task still ends, for one the job has', async () => {
    const one = await runningJob();
    await world.call('POST', `${pathOf(one)}/kill`, { body: { instances: [[2, 2]] } });
    await world.run();
    const states = (await world.tasks(one)).map(({ state }) => state);
    expect(states.toSorted()).toEqual(['KILLING', 'RUNNING', 'RUNNING']);
    const answer = await start(one, replace(changed(one)));
    expect(answer).toMatchObject({ status: 202, body: { diff: { add: [[2, 2]], update: [[0, 1]] } } });
    // Given up at once: the job wants what it wanted before.
    await world.call('POST', `${pathOf(one)}/updates/active/abort`, { body: { instances: 'hold' } });
    const desired = (await world.store.getJob(one))?.desired.map(({ instances }) => instances);
    expect(desired).toEqual([[0, 1]]);
  });

  it('creates a job that does not exist', async () => {
    const fresh = service();
    const answer = await start(fresh, { ...replace(fresh.configs), expectedVersion: 0 });
    expect(answer).toMatchObject({ status: 202, body: { diff: { add: [[0, 2]] } } });
    expect(await world.store.getJob(fresh)).toMatchObject({ desired: [], instanceSpan: 3 });
  });

  it('says that nothing is to be done, and starts nothing', async () => {
    const answer = await start(job, replace(job.configs));
    expect(answer).toMatchObject({
      status: 202,
      body: { update: null, message: 'Job is unchanged by proposed update.', diff: { unchanged: [[0, 2]] } },
    });
    expect((await world.store.getJob(job))?.updateId).toBeUndefined();
  });

  it('answers a repeated token as the first time, also when another update came after it', async () => {
    const one = await runningJob();
    const headers = { 'idempotency-key': unique('token') };
    const body = { ...replace(changed(one)) };
    const first = await start(one, body, headers);
    const again = await start(one, body, headers);
    expect(again).toEqual(first);
    const path = `${pathOf(one)}/updates`;
    await world.call('POST', `${path}/active/abort`, { body: { instances: 'hold' } });
    await start(one, replace(changed(one, 'echo other')));
    const late = await start(one, body, headers);
    expect(late.body.update).toMatchObject({
      updateId: first.body.update.updateId,
      status: 'ABORTED',
    });
    const reused = await start(one, { ...body, message: 'other' }, headers);
    expect(reused).toMatchObject({ status: 409, body: { code: 'TOKEN_REUSED' } });
  });

  it('answers a repeated token as the first time however many updates came after it', async () => {
    const one = await runningJob();
    const headers = { 'idempotency-key': unique('token') };
    const body = replace(changed(one));
    const first = await start(one, body, headers);
    for (let i = 0; i < 11; i++) {
      await world.call('POST', `${pathOf(one)}/updates/active/abort`, { body: { instances: 'hold' } });
      world.now += 1000;
      const other = await start(one, replace(changed(one, `echo ${i}`)));
      expect(other.status).toBe(202);
    }
    const late = await start(one, body, headers);
    expect(late).toMatchObject({ status: 202, body: { message: first.body.message } });
    expect(late.body.update).toMatchObject({ updateId: first.body.update.updateId, status: 'ABORTED' });
  });

  it('answers a repeated token as the first time also when there was nothing to do and now there would be', async () => {
    const one = await runningJob();
    const headers = { 'idempotency-key': unique('token') };
    const first = await start(one, replace(one.configs), headers);
    expect(first).toMatchObject({ status: 202, body: { update: null } });
    await start(one, replace(changed(one)));
    expect(await start(one, replace(one.configs), headers)).toEqual(first);
    const reused = await start(one, replace(changed(one)), headers);
    expect(reused).toMatchObject({ status: 409, body: { code: 'TOKEN_REUSED' } });
  });

  it('makes one update of many simultaneous requests with one token, and of several one without', async () => {
    const one = await runningJob();
    const headers = { 'idempotency-key': unique('token') };
    const body = replace(changed(one));
    const same = await Promise.all(Array.from({ length: 4 }, () => start(one, body, headers)));
    expect(new Set(same.map((answer) => answer.body.update.updateId)).size).toBe(1);
    const two = await runningJob();
    const rivals = await Promise.all(Array.from({ length: 4 }, () => start(two, replace(changed(two)))));
    expect(rivals.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409, 409, 409]);
    expect((await world.call('GET', `${pathOf(two)}/updates`)).body.updates).toHaveLength(1);
  });

  it('refuses a second update, and every other change, with the id of the one that is active', async () => {
    const one = await runningJob();
    const { updateId } = (await start(one, replace(changed(one)))).body.update;
    const path = pathOf(one);
    const before = await world.dump();
    const refused = [
      await start(one, replace(changed(one, 'echo third'))),
      await plan(one, { change: { kind: 'restart' } }),
      await start(one, { change: { kind: 'add', count: 1 } }),
      await world.call('POST', path, { body: one }),
      await world.call('POST', `${path}/kill`, { body: {} }),
      await world.call('POST', `${path}/restart`, { body: {} }),
      await world.call('POST', `${path}/instances`, { body: { count: 1 } }),
    ];
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'CONFLICT', details: { updateId } } });
      expect(answer.body.detail).toContain(updateId);
    }
    expect(await world.dump()).toEqual(before);
  });

  it('takes a job that was restarted for what its file says', async () => {
    const one = await runningJob();
    await start(one, { change: { kind: 'restart' }, only: [[0, 0]] });
    // As if the updater had restarted instance 0: its desired config is the copy now.
    const stored = await world.store.getJob(one);
    const { updateId: _id, ...free } = stored ?? (undefined as never);
    const [range] = free.desired;
    const copy = `${range?.configId}.1`;
    const desired = [
      { ...range, instances: [0, 0], configId: copy },
      { ...range, instances: [1, 2] },
    ] as typeof free.desired;
    const { specVersion, reconciledVersion } = free;
    await world.store.updateJob({ ...free, desired }, { specVersion, reconciledVersion });
    expect(await world.store.getConfigs(one, [copy])).toHaveProperty('size', 1);
    const tasks = (await world.tasks(one)).filter(({ instance }) => instance === 0);
    const [task] = tasks;
    if (!task) throw new Error('instance 0 has no task');
    await world.store.transition({ task, next: { ...task, configId: copy, state: 'RUNNING' } });
    const same = await plan(one, replace(one.configs));
    expect(same.body).toMatchObject({ changed: false, diff: { unchanged: [[0, 2]] } });
    const again = await plan(one, { change: { kind: 'restart' } });
    const created = again.body.steps.map((step: { create: { configId: string } }) => step.create.configId);
    expect(new Set(created)).toEqual(new Set([`${range?.configId}.2`]));
  });
});

describe('a start that cannot be', () => {
  let job: JobSubmission;
  let batch: JobSubmission;
  beforeAll(async () => {
    job = await runningJob();
    batch = await runningJob(submission({}, { service: false }));
  });

  interface Bad {
    readonly what: string;
    readonly of?: 'batch' | 'missing';
    readonly body: (job: JobSubmission) => object;
    readonly status: number;
    readonly code: string;
    readonly says: string;
  }
  const table: Bad[] = [
    {
      what: 'a stale plan',
      body: (one) => ({ ...replace(changed(one)), expectedVersion: 0 }),
      status: 409,
      code: 'CONFLICT',
      says: 'the plan is stale',
    },
    {
      what: 'a job that is no service',
      of: 'batch',
      body: () => ({ change: { kind: 'restart' } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'Updates are not supported for non-service tasks',
    },
    {
      what: 'a restart of a job that is not there',
      of: 'missing',
      body: () => ({ change: { kind: 'restart' } }),
      status: 404,
      code: 'NOT_FOUND',
      says: 'there is no job',
    },
    {
      what: 'a restart of instances that are not active',
      body: () => ({ change: { kind: 'restart' }, only: [[2, 5]] }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'instances 3-5',
    },
    {
      what: 'instances that are neither there nor proposed',
      body: (one) => ({ ...replace(changed(one)), only: [[7, 7]] }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'instances 7',
    },
    {
      what: 'a reversed range',
      body: (one) => ({ ...replace(changed(one)), only: [[2, 1]] }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'reverse',
    },
    {
      what: 'shrinking to nothing',
      body: () => ({ change: { kind: 'remove', count: 3 } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'kill the job',
    },
    {
      what: 'removing what is not there',
      body: () => ({ change: { kind: 'remove', instances: [[2, 3]] } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'instances 3 are not part',
    },
    {
      what: 'a copy of an instance that is not there',
      body: () => ({ change: { kind: 'add', count: 1, template: 9 } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'instance 9',
    },
    {
      what: '"only" next to an addition',
      body: () => ({ change: { kind: 'add', count: 1 }, only: [[3, 3]] }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: '"only"',
    },
    {
      what: 'settings that contradict each other',
      body: (one) => ({
        ...replace(changed(one)),
        settings: { strategy: { kind: 'queue', groupSize: 2 }, waitForBatchCompletion: true },
      }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'waitForBatchCompletion',
    },
    {
      what: 'an SLA-aware update without a policy',
      body: (one) => ({ ...replace(changed(one)), settings: { slaAware: true } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'SLA policy',
    },
    {
      what: 'more failures than an update may wear out',
      body: (one) => ({ ...replace(changed(one)), settings: { maxPerInstanceFailures: 10_000 } }),
      status: 400,
      code: 'INVALID_REQUEST',
      says: 'at most 6666',
    },
    {
      what: 'an invalid config',
      body: (one) =>
        replace(changed(one).map((entry) => ({ ...entry, instances: [[1, 2]] as [number, number][] }))),
      status: 400,
      code: 'INVALID_CONFIG',
      says: 'change.configs: instances 0 have no config',
    },
    {
      what: 'a config of the wrong shape',
      body: () => ({
        change: { kind: 'replace', configs: [{ instances: [[0, 1]], task: { service: true } }] },
      }),
      status: 400,
      code: 'INVALID_CONFIG',
      says: 'change.configs[0].task',
    },
  ];

  it.each(table)('$what is refused, and nothing is written', async ({ of, body, status, code, says }) => {
    const one = of === 'batch' ? batch : of === 'missing' ? service() : job;
    const before = await world.dump();
    const answer = await start(one, body(one));
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.body.detail).toContain(says);
    expect(await world.dump()).toEqual(before);
  });

  it('is refused while the last change is being carried out', async () => {
    const fresh = service();
    await world.call('POST', pathOf(fresh), { body: fresh });
    const answer = await start(fresh, replace(changed(fresh)));
    expect(answer).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(answer.body.detail).toContain('still being carried out');
  });
});
