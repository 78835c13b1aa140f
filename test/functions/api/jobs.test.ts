// Creating, replacing, showing and listing jobs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  acceptedSchema,
  agentListSchema,
  agentViewSchema,
  jobDetailSchema,
  jobListSchema,
  taskViewSchema,
  whySchema,
} from '../../../shared/api/views.ts';
import { desiredPageSchema } from '../../../shared/model/protocol.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.report([
    registration('a1', { capacity: { ...registration('a1').offer.capacity, cpuMilli: 100_000 } }),
  ]);
});
afterAll(() => world.stop());

describe('createJob', () => {
  it('answers a repeated token as the first time and refuses it for another request', async () => {
    const job = submission();
    const headers = { 'idempotency-key': 'token-1' };
    const first = await world.call('POST', pathOf(job), { body: job, headers });
    const stored = await world.dump();
    const again = await world.call('POST', pathOf(job), { body: job, headers });
    expect(again).toEqual(first);
    const other = submission();
    const reused = await world.call('POST', pathOf(other), { body: other, headers });
    expect(reused).toMatchObject({ status: 409, body: { code: 'TOKEN_REUSED' } });
    expect(await world.dump()).toEqual(stored);
  });

  it('makes one job of many simultaneous requests with one token', async () => {
    const job = submission();
    const headers = { 'idempotency-key': 'token-2' };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => world.call('POST', pathOf(job), { body: job, headers })),
    );
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(await world.store.getJob(job)).toMatchObject({ specVersion: 1 });
  });

  it('carries out an edit once per token, however often it is sent and whatever happens between', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    const add = (token: string, count: number) =>
      world.call('POST', `${pathOf(job)}/instances`, {
        body: { count },
        headers: { 'idempotency-key': token },
      });
    const count = async () => (await world.call('GET', pathOf(job))).body.job.instances;
    expect(await add('edit-1', 2)).toMatchObject({ status: 202 });
    expect(await add('edit-1', 2)).toMatchObject({ status: 202 });
    expect(await count()).toBe(5);
    expect(await add('edit-1', 3)).toMatchObject({ status: 409, body: { code: 'TOKEN_REUSED' } });
    const together = await Promise.all(Array.from({ length: 4 }, () => add('edit-2', 1)));
    expect(together.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(await count()).toBe(6);
  });

  it('remembers an edit that had nothing to change', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    const kill = () =>
      world.call('POST', `${pathOf(job)}/kill`, {
        body: { instances: [[7, 7]] },
        headers: { 'idempotency-key': 'kill-nothing' },
      });
    expect(await kill()).toMatchObject({ status: 202, body: { message: 'No tasks to kill.' } });
    await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 5 } });
    expect(await kill()).toMatchObject({ status: 202 });
    expect((await world.store.getJob(job))?.desired.at(-1)?.instances).toEqual([3, 7]);
  });

  it('refuses a job that exists, replaces one that has ended', async () => {
    const job = submission({}, { service: false });
    await world.call('POST', pathOf(job), { body: job });
    world.now += 1;
    expect(await world.call('POST', pathOf(job), { body: job })).toMatchObject({
      status: 409,
      body: { code: 'JOB_EXISTS' },
    });
    await world.run();
    const refused = await world.call('POST', pathOf(job), { body: job });
    expect(refused).toMatchObject({ status: 409, body: { code: 'JOB_EXISTS' } });
    expect(refused.body.detail).toContain('Kill it first');
    const tasks = await world.tasks(job);
    await world.report([
      statusReport(
        'a1',
        tasks.map(({ taskId }): [string, string] => [taskId, 'FINISHED']),
      ),
    ]);
    await world.run();
    const replaced = await world.call('POST', pathOf(job), { body: job });
    expect(replaced).toMatchObject({ status: 201, body: { job: { specVersion: 2, reconciled: false } } });
    await world.run();
    expect((await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED')).toHaveLength(3);
  });

  it('notes who asked', async () => {
    const job = submission();
    const userArn = 'arn:aws:iam::1:role/ops';
    const named = await world.call('POST', pathOf(job), { body: job, userArn });
    expect(named.body.job.createdBy).toBe(userArn);
    const open = submission();
    expect((await world.call('POST', pathOf(open), { body: open })).body.job.createdBy).toBe('UNSECURE');
  });
});

describe('edits', () => {
  it('of many callers at once are all carried out', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => world.call('POST', `${pathOf(job)}/instances`, { body: { count: 2 } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect((await world.call('GET', pathOf(job))).body.job.instances).toBe(11);
  });

  it('killing what is not there is an answer, not an error', async () => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    const answer = await world.call('POST', `${pathOf(job)}/kill`, { body: { instances: [[7, 9]] } });
    expect(answer).toMatchObject({
      status: 202,
      body: { message: 'No tasks to kill.', job: { specVersion: 1 } },
    });
  });
});

describe('getJob', () => {
  it('pages through active tasks by instance, then history newest first, each once', async () => {
    const job = submission({}, { service: false });
    await world.call('POST', pathOf(job), { body: job });
    await world.run();
    const tasks = await world.tasks(job);
    for (const { taskId } of tasks.slice(0, 2)) {
      world.now += 1000;
      await world.report([statusReport('a1', [[taskId, 'LOST']])]);
      await world.run();
    }
    const all = await world.call('GET', pathOf(job));
    expect(all.body.counts).toEqual({ pending: 0, active: 3, finished: 0, failed: 2 });
    const order = all.body.tasks.map((task: { instance: number; state: string }) => [
      task.instance,
      task.state,
    ]);
    expect(order).toEqual([
      [0, 'ASSIGNED'],
      [1, 'ASSIGNED'],
      [2, 'ASSIGNED'],
      [1, 'LOST'],
      [0, 'LOST'],
    ]);
    for (const limit of ['1', '2', '3', '4']) {
      const paged: unknown[] = [];
      let cursor: string | null = null;
      do {
        const query: Record<string, string> = { limit, ...(cursor !== null && { cursor }) };
        const page = await world.call('GET', pathOf(job), { query });
        expect(page.body.counts).toEqual(all.body.counts);
        paged.push(...page.body.tasks);
        cursor = page.body.nextCursor;
      } while (cursor !== null);
      expect(paged).toEqual(all.body.tasks);
    }
    const active = await world.call('GET', pathOf(job), { query: { history: 'false' } });
    expect(active.body.tasks).toHaveLength(3);
    expect(Object.keys(all.body.configs)).toEqual([tasks[0]?.configId]);
  });
});

describe('answers', () => {
  it('are what the route table says', async () => {
    const job = submission();
    const created = await world.call('POST', pathOf(job), { body: job });
    acceptedSchema.parse(created.body);
    await world.run();
    jobDetailSchema.parse((await world.call('GET', pathOf(job))).body);
    for (const path of ['/jobs', '/jobs/web', '/jobs/web/prod']) {
      const list = jobListSchema.parse((await world.call('GET', path)).body);
      expect(list.jobs.map(({ name }) => name)).toContain(job.name);
    }
    const paged = jobListSchema.parse((await world.call('GET', '/jobs', { query: { limit: '1' } })).body);
    expect(paged.jobs).toHaveLength(1);
    expect(paged.nextCursor).not.toBeNull();
    expect(jobListSchema.parse((await world.call('GET', '/jobs/nobody')).body).jobs).toEqual([]);
    whySchema.parse((await world.call('GET', `${pathOf(job)}/why`, { query: { agents: 'true' } })).body);
    const [task] = await world.tasks(job);
    taskViewSchema.parse((await world.call('GET', `/tasks/${task?.taskId}`)).body);
    taskViewSchema.parse((await world.call('GET', `/tasks/${encodeURIComponent(task?.taskId ?? '')}`)).body);
    agentListSchema.parse((await world.call('GET', '/agents', { query: { pool: 'default' } })).body);
    agentViewSchema.parse((await world.call('GET', '/agents/a1')).body);
    desiredPageSchema.parse((await world.call('GET', '/agents/a1/tasks')).body);
    expect((await world.call('GET', '/version')).body).toEqual({ cluster: 'local', version: '0.0.0' });
    expect((await world.call('GET', '/health')).body).toEqual({ ok: true, store: 'ok' });
    const document = await world.call('GET', '/openapi.json');
    expect(Object.keys(document.body.paths)).toContain('/jobs/{role}/{environment}/{name}');
  });
});
