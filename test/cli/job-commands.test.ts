import { afterEach, describe, expect, it } from 'vitest';
import {
  type Answers,
  type FakeApi,
  fakeApi,
  jobDetail,
  jobView,
  ok,
  problem,
  taskView,
} from './support/fake-api.ts';
import { runCli } from './support/fake-io.ts';

const key = 'local/www/prod/hello';
const jobRoute = '/jobs/www/prod/hello';
const jobFile = 'test/cli/support/hello.yaml';
const accepted = (message: string) => ({ status: 202, body: { job: jobView(), message } });

let api: FakeApi;
async function serve(answers: Answers): Promise<string> {
  api = await fakeApi(answers);
  return api.url;
}
afterEach(() => api.close());

describe('job status', () => {
  const tasks = [taskView(1, 'RUNNING'), taskView(0, 'PENDING'), taskView(0, 'FAILED', { generation: 1 })];

  it('prints exactly the shape programs rely on', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(jobDetail(tasks)) });
    const { code, out, err } = await runCli(['job', 'status', key, '--json'], { api: url });
    expect([code, err]).toEqual([0, '']);
    const printed = JSON.parse(out) as { tasks: unknown[] };
    expect(Object.keys(printed)).toEqual(['job', 'tasks']);
    expect(printed.tasks).toHaveLength(3);
    expect(printed.tasks[0]).toEqual({
      instance: 1,
      taskId: 'www~prod~hello~1~1~abcd1234',
      state: 'RUNNING',
      agentId: 'agent-1',
      events: [
        { state: 'PENDING', at: '2026-11-22T10:00:00.000Z', message: '' },
        { state: 'RUNNING', at: '2026-11-22T10:00:00.000Z', message: 'is RUNNING' },
      ],
    });
    expect(printed.tasks[1]).toMatchObject({ instance: 0, state: 'PENDING', agentId: null });
  });

  it('puts the pages of a large job together', async () => {
    const url = await serve({
      [`GET ${jobRoute}`]: ({ query }) =>
        ok(
          query.cursor === 'more'
            ? jobDetail([taskView(1, 'RUNNING')])
            : { ...jobDetail([taskView(0, 'RUNNING')]), nextCursor: 'more' },
        ),
    });
    const { out } = await runCli(['job', 'status', key, '--json'], { api: url });
    expect((JSON.parse(out) as { tasks: { instance: number }[] }).tasks.map((task) => task.instance)).toEqual(
      [0, 1],
    );
  });

  it('shows active tasks before ended ones, without colours in a pipe', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(jobDetail(tasks)) });
    const { out } = await runCli(['job', 'status', key], { api: url });
    expect(out).toMatch(/Active tasks \(2\):[\s\S]*RUNNING[\s\S]*Inactive tasks \(1\):[\s\S]*FAILED/);
    expect(out).toContain('health=31001');
    expect(out).not.toContain(String.fromCodePoint(27));
  });

  it('uses colours on a terminal unless NO_COLOR says no', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(jobDetail(tasks)) });
    const start = String.fromCodePoint(27);
    expect((await runCli(['job', 'status', key], { api: url, tty: true })).out).toContain(start);
    const plain = await runCli(['job', 'status', key], { api: url, tty: true, env: { NO_COLOR: '1' } });
    expect(plain.out).not.toContain(start);
    expect((await runCli(['job', 'status', key, '--no-color'], { api: url, tty: true })).out).not.toContain(
      escape,
    );
  });

  it('narrows to the instances of the key', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(jobDetail(tasks)) });
    const { out } = await runCli(['job', 'status', `${key}/1`, '--json'], { api: url });
    expect((JSON.parse(out) as { tasks: { instance: number }[] }).tasks.map((task) => task.instance)).toEqual(
      [1],
    );
  });

  it('takes a pattern and prints a list', async () => {
    const other = jobView({ name: 'other', key: 'local/www/prod/other' });
    const url = await serve({
      'GET /jobs/www': () => ok({ jobs: [other, jobView()], nextCursor: null }),
      [`GET ${jobRoute}`]: () => ok(jobDetail(tasks)),
    });
    const { out } = await runCli(['job', 'status', 'local/www/*/h*', '--json'], { api: url });
    expect((JSON.parse(out) as { job: { key: string } }[]).map(({ job }) => job.key)).toEqual([key]);
  });

  it('of a job that does not exist ends with 6, says so on stderr with the request id', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => problem(404, 'NOT_FOUND', 'there is no such job') });
    const { code, out, err } = await runCli(['job', 'status', key, '--json'], { api: url });
    expect([code, out]).toEqual([6, '']);
    expect(err).toBe('error: NOT_FOUND: there is no such job\n  request id: req-42\n');
  });

  it('of another cluster is refused with 3', async () => {
    const url = await serve({});
    const { code, err } = await runCli(['job', 'status', 'prod/www/prod/hello'], { api: url });
    expect(code).toBe(3);
    expect(err).toContain('is cluster "local"');
  });
});

describe('job list', () => {
  const jobs = [
    jobView({ name: 'b', key: 'local/www/prod/b' }),
    jobView({ name: 'a', key: 'local/www/prod/a' }),
  ];

  it('prints keys only with -q, sorted', async () => {
    const url = await serve({ 'GET /jobs': () => ok({ jobs, nextCursor: null }) });
    const { out } = await runCli(['job', 'list', '-q'], { api: url });
    expect(out).toBe('local/www/prod/a\nlocal/www/prod/b\n');
  });

  it('follows the pages', async () => {
    const url = await serve({
      'GET /jobs': ({ query }) =>
        ok(
          query.cursor
            ? { jobs: jobs.slice(1), nextCursor: null }
            : { jobs: jobs.slice(0, 1), nextCursor: 'x' },
        ),
    });
    const { out } = await runCli(['job', 'list', '--json'], { api: url });
    expect((JSON.parse(out) as { jobs: unknown[] }).jobs).toHaveLength(2);
  });
});

describe('job create', () => {
  it('sends the job and repeats it with the same key when the connection breaks', async () => {
    const url = await serve({
      [`POST ${jobRoute}`]: (_asked, times) =>
        times === 1 ? 'hang up' : { status: 201, body: { job: jobView(), message: 'accepted' } },
    });
    const { code, out } = await runCli(['job', 'create', jobFile], { api: url });
    expect([code, out]).toEqual([0, `${key}\n`]);
    const posts = api.asked.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(2);
    expect(posts[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(posts[1]?.headers['idempotency-key']).toBe(posts[0]?.headers['idempotency-key']);
    expect(posts[0]?.body).toMatchObject({ role: 'www', environment: 'prod', name: 'hello' });
  });

  it('fills in --bind and refuses what is unbound with 3, before anything is sent', async () => {
    const url = await serve({});
    const { code, err } = await runCli(['job', 'inspect', 'test/cli/support/bound.yaml'], { api: url });
    expect(code).toBe(3);
    expect(err).toContain('greeting');
    const bound = await runCli([
      'job',
      'inspect',
      'test/cli/support/bound.yaml',
      '--bind',
      'greeting=hi',
      '--json',
    ]);
    expect(bound.out).toContain('echo hi');
    expect(api.asked).toEqual([]);
  });

  it('waits until every instance runs and shows each change once in a pipe', async () => {
    const states = [
      ['PENDING', 'PENDING'],
      ['RUNNING', 'STARTING'],
      ['RUNNING', 'RUNNING'],
    ] as const;
    const url = await serve({
      [`POST ${jobRoute}`]: () => ({ status: 201, body: { job: jobView(), message: 'accepted' } }),
      [`GET ${jobRoute}`]: (_asked, times) => {
        const now = states[Math.min(times, states.length) - 1] ?? states[2];
        return ok(jobDetail(now.map((state, instance) => taskView(instance, state))));
      },
    });
    const { code, err } = await runCli(['job', 'create', jobFile, '--wait'], { api: url });
    expect(code).toBe(0);
    expect(err).toMatch(/PENDING 2\n[\s\S]*STARTING 1 {2}RUNNING 1\n[\s\S]*RUNNING 2\n/);
    expect(err).not.toContain('\r');
  });

  it('ends with 4 and the reason when an instance fails for good', async () => {
    const url = await serve({
      [`POST ${jobRoute}`]: () => ({ status: 201, body: { job: jobView(), message: 'accepted' } }),
      [`GET ${jobRoute}`]: () => ok(jobDetail([taskView(0, 'RUNNING'), taskView(1, 'FAILED')])),
    });
    const { code, err } = await runCli(['job', 'create', jobFile, '--wait'], { api: url });
    expect(code).toBe(4);
    expect(err).toContain('instance 1 is FAILED: is FAILED');
  });

  it('ends with 9 when the time is over, and says why tasks wait', async () => {
    const url = await serve({
      [`POST ${jobRoute}`]: () => ({ status: 201, body: { job: jobView(), message: 'accepted' } }),
      [`GET ${jobRoute}`]: () => ok(jobDetail([taskView(0, 'PENDING'), taskView(1, 'PENDING')])),
      [`GET ${jobRoute}/why`]: () =>
        ok({
          job: key,
          throttled: [],
          pending: [
            {
              configId: 'c1',
              instances: [[0, 1]],
              reason: {
                verdict: 'waiting',
                agents: 1,
                counts: [{ code: 'CPU', agents: 1 }],
                nearest: { agentId: 'a', reasons: [{ code: 'CPU', needed: 4000, available: 2500 }] },
                at: 0,
              },
            },
          ],
        }),
    });
    const { code, err } = await runCli(['job', 'create', jobFile, '--wait', '--timeout', '200ms'], {
      api: url,
    });
    expect(code).toBe(9);
    expect(err).toContain('2 PENDING');
    expect(err).toContain('What was asked goes on');
    expect(err).toContain('needs 4 cores and 2.5 cores is free');
  });

  it('refuses to wait for the end of a service', async () => {
    const url = await serve({});
    const { code } = await runCli(['job', 'create', jobFile, '--wait-until', 'FINISHED'], { api: url });
    expect(code).toBe(6);
    expect(api.asked.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('that the API refuses ends with the code of that refusal', async () => {
    const url = await serve({ [`POST ${jobRoute}`]: () => problem(409, 'JOB_EXISTS', 'it exists') });
    expect((await runCli(['job', 'create', jobFile], { api: url })).code).toBe(4);
  });
});

describe('job kill', () => {
  it('without instances ends with 6 and points to killall', async () => {
    const url = await serve({});
    const { code, err } = await runCli(['job', 'kill', key], { api: url });
    expect(code).toBe(6);
    expect(err).toContain(`borealis job killall ${key}`);
    expect(api.asked).toEqual([]);
  });

  it('sends ranges and message', async () => {
    const url = await serve({ [`POST ${jobRoute}/kill`]: () => accepted('killing') });
    const { code } = await runCli(['job', 'kill', `${key}/0-2,5`, '-m', 'bad disk'], { api: url });
    expect(code).toBe(0);
    expect(api.asked.at(-1)?.body).toEqual({
      instances: [
        [0, 2],
        [5, 5],
      ],
      message: 'bad disk',
    });
  });

  it('waits until the instances are gone, others may run on', async () => {
    const url = await serve({
      [`POST ${jobRoute}/kill`]: () => accepted('killing'),
      [`GET ${jobRoute}`]: (_asked, times) =>
        ok(jobDetail([taskView(0, 'RUNNING'), taskView(1, times < 2 ? 'KILLING' : 'KILLED')])),
    });
    const { code, err } = await runCli(['job', 'kill', `${key}/1`, '--wait'], { api: url });
    expect(code).toBe(0);
    expect(err).toContain('instances 1 of local/www/prod/hello: all have ended');
  });
});

describe('job killall', () => {
  const answers: Answers = { [`POST ${jobRoute}/kill`]: () => accepted('killing') };
  const kills = () => api.asked.filter(({ method }) => method === 'POST').length;

  it('asks nothing without a terminal', async () => {
    const url = await serve(answers);
    const { code, err } = await runCli(['job', 'killall', key], { api: url });
    expect([code, kills()]).toEqual([0, 1]);
    expect(err).not.toContain('Type');
  });

  it.each([
    ['hello\n', 0, 1],
    ['yes\n', 4, 0],
    ['\n', 4, 0],
  ])('on a terminal, when %j is typed, ends with %d after %d kills', async (typed, exitCode, sent) => {
    const url = await serve(answers);
    const { code, err } = await runCli(['job', 'killall', key], { api: url, tty: true, typed });
    expect(err).toContain('Type hello to go on');
    expect([code, kills()]).toEqual([exitCode, sent]);
  });

  it('with --yes asks nothing on a terminal either', async () => {
    const url = await serve(answers);
    const { code, err } = await runCli(['job', 'killall', key, '--yes'], { api: url, tty: true });
    expect([code, kills()]).toEqual([0, 1]);
    expect(err).not.toContain('Type');
  });
});

describe('job add', () => {
  it('is never repeated: a second request would add twice', async () => {
    const url = await serve({ [`POST ${jobRoute}/instances`]: () => 'hang up' });
    const { code, err } = await runCli(['job', 'add', `${key}/1`, '3'], { api: url });
    expect(code).toBe(7);
    expect(err).toContain('whether the change was accepted is not known');
    expect(api.asked.filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(api.asked.at(-1)?.body).toEqual({ count: 3, template: 1 });
  });

  it.each([['0'], ['x'], ['-1']])('refuses the count %j', async (count) => {
    const url = await serve({});
    expect((await runCli(['job', 'add', key, '--', count], { api: url })).code).toBe(6);
  });
});

describe('job diff', () => {
  it('exits 0 with differences, 1 with --exit-code', async () => {
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(jobDetail([])) });
    const first = await runCli(['job', 'diff', key, jobFile], { api: url });
    expect(first.code).toBe(0);
    expect(first.out).toContain('change 2: instances 0-1');
    expect((await runCli(['job', 'diff', key, jobFile, '--exit-code', '-q'], { api: url })).code).toBe(1);
  });

  it('exits 0 with --exit-code when nothing differs', async () => {
    const inspected = await runCli(['job', 'inspect', jobFile, '--json']);
    const { configs } = JSON.parse(inspected.out) as { configs: { task: never }[] };
    const stored = { ...jobDetail([]), configs: { c1: configs[0]?.task as never } };
    const url = await serve({ [`GET ${jobRoute}`]: () => ok(stored) });
    const { code, out } = await runCli(['job', 'diff', key, jobFile, '--exit-code'], { api: url });
    expect([code, out]).toEqual([0, 'keep 2: instances 0-1\n']);
  });
});
