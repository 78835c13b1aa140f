// Restart, add and shrink: as updates where there are batches, at once where not.
import { afterEach, describe, expect, it } from 'vitest';
import { type Answers, type FakeApi, fakeApi, jobDetail, jobView, ok, taskView } from './support/fake-api.ts';
import { runCli } from './support/fake-io.ts';
import { endedUpdate, updatePlan, updateView } from './support/fake-updates.ts';

const key = 'local/www/prod/hello';
const job = '/jobs/www/prod/hello';
const diff = { add: [], remove: [], update: [[0, 1]], unchanged: [] };

let api: FakeApi;
const answers: Answers = {
  [`GET ${job}`]: () => ok(jobDetail([taskView(0, 'RUNNING'), taskView(1, 'RUNNING')])),
  [`POST ${job}/updates`]: () => ({
    status: 202,
    body: { update: updateView({ kind: 'restart' }), diff, message: '' },
  }),
  [`GET ${job}/updates/u1`]: () => ok(endedUpdate('ROLLED_FORWARD', { kind: 'restart' })),
  [`POST ${job}/restart`]: () => ({
    status: 202,
    body: { job: jobView(), message: '2 instances are being restarted' },
  }),
  [`POST ${job}/instances`]: () => ({ status: 202, body: { job: jobView(), message: '2 are being added' } }),
};
async function run(argv: readonly string[], more: Answers = {}) {
  api = await fakeApi({ ...answers, ...more });
  return runCli(argv, { api: api.url });
}
afterEach(() => api?.close());
const posted = () =>
  api.asked.filter(({ method }) => method === 'POST').map(({ path, body }) => ({ path, body }));

describe('--plan', () => {
  const planned: Answers = { [`POST ${job}/updates/plan`]: () => ok(updatePlan()) };

  it.each([
    [['job', 'restart', `${key}/0-1`, '--batch-size', '2'], { change: { kind: 'restart' }, only: [[0, 1]] }],
    [['job', 'add', key, '2', '--batch-size', '1'], { change: { kind: 'add', count: 2 } }],
    [['job', 'shrink', key, '1'], { change: { kind: 'remove', count: 1 } }],
  ])('of %j prints what would happen, starts nothing and exits with 1', async (words, body) => {
    const { code, out, err } = await run([...words, '--plan'], planned);
    expect([code, err]).toEqual([1, '']);
    expect(out).toContain(`${key} is at version 7\nThis update will:\n  add 1: instances 2\n`);
    expect(out).toContain('Batch 1:\n');
    expect(posted()).toMatchObject([{ path: `${job}/updates/plan`, body }]);
  });

  it('exits with 0 when there is nothing to do', async () => {
    const nothing = { changed: false, steps: [], batches: 0 };
    const { code, err } = await run(['job', 'restart', key, '--plan'], {
      [`POST ${job}/updates/plan`]: () => ok(updatePlan(nothing)),
    });
    expect([code, err]).toEqual([0, `${key}: no change, the job is as asked for already\n`]);
  });

  it.each([
    [['job', 'add', key, '2', '--plan'], '--plan, --watch, --message and the failure limits are of updates'],
    [['job', 'restart', key, '--plan', '--all-at-once'], '--all-at-once contradicts batches'],
    [['job', 'shrink', key, '1', '--plan', '--wait'], 'nothing to --wait for'],
  ])('is refused in %j, and nothing is sent', async (words, says) => {
    const { code, err } = await run(words);
    expect(code).toBe(6);
    expect(err).toContain(says);
    expect(posted()).toEqual([]);
  });
});

describe('job restart', () => {
  it('of a service is an update: one at a time, watched for 30 s, nothing is put back', async () => {
    const { code, out, err } = await run(['job', 'restart', key, '-m', 'new certificate']);
    expect([code, out]).toEqual([0, 'u1\n']);
    expect(err).toContain('  restart 2: instances 0-1');
    expect(posted()).toEqual([
      {
        path: `${job}/updates`,
        body: {
          change: { kind: 'restart' },
          message: 'new certificate',
          settings: {
            strategy: { kind: 'queue', groupSize: 1 },
            minWaitInInstanceRunningMs: 30_000,
            rollbackOnFailure: false,
          },
        },
      },
    ]);
  });

  it('takes batch size, watch and instances, and follows to the end with --wait', async () => {
    const words = ['--batch-size', '2', '--watch', '0', '--wait'];
    const { code, err } = await run(['job', 'restart', `${key}/0-1`, ...words]);
    expect(code).toBe(0);
    expect(err).toContain('ROLLED_FORWARD: 9 instances restarted');
    expect(posted()[0]?.body).toMatchObject({
      only: [[0, 1]],
      settings: { strategy: { kind: 'queue', groupSize: 2 }, minWaitInInstanceRunningMs: 0 },
    });
  });

  it.each([
    ['on request', ['--all-at-once'], true],
    ['when the job is no service', [], false],
  ])('is done at once %s', async (_when, words, service) => {
    const detail = jobDetail([taskView(0, 'RUNNING'), taskView(1, 'RUNNING')], { service });
    const { code, err } = await run(['job', 'restart', key, ...words], { [`GET ${job}`]: () => ok(detail) });
    expect(code).toBe(0);
    expect(err).toBe('2 instances are being restarted\n');
    expect(posted()).toEqual([{ path: `${job}/restart`, body: { instances: [[0, 1]] } }]);
  });

  it('at once waits for newer tasks with --wait', async () => {
    const detail = (_asked: unknown, times: number) =>
      ok(jobDetail([taskView(0, 'RUNNING', { generation: times < 4 ? 1 : 2 })]));
    const { code, err } = await run(['job', 'restart', `${key}/0`, '--all-at-once', '--wait'], {
      [`GET ${job}`]: detail,
    });
    expect(code).toBe(0);
    expect(err).toContain('instances 0 run again');
    expect(api.asked.filter(({ method }) => method === 'GET').length).toBeGreaterThan(3);
  });

  it.each([
    [true, ['--all-at-once', '--batch-size', '2'], 'contradicts batches'],
    [false, ['--watch', '5s'], 'is no service'],
  ])('of a job with service=%j and %j is refused', async (service, words, says) => {
    const { code, err } = await run(['job', 'restart', key, ...words], {
      [`GET ${job}`]: () => ok(jobDetail([], { service })),
    });
    expect(code).toBe(6);
    expect(err).toContain(says);
    expect(posted()).toEqual([]);
  });
});

describe('job add', () => {
  it('with --batch-size is an update that copies the named instance', async () => {
    const { code } = await run(['job', 'add', `${key}/1`, '4', '--batch-size', '2', '--watch', '10s']);
    expect(code).toBe(0);
    expect(posted()).toEqual([
      {
        path: `${job}/updates`,
        body: {
          change: { kind: 'add', count: 4, template: 1 },
          settings: { strategy: { kind: 'queue', groupSize: 2 }, minWaitInInstanceRunningMs: 10_000 },
        },
      },
    ]);
  });

  it('without it adds at once, and takes no settings of updates', async () => {
    expect((await run(['job', 'add', key, '2'])).code).toBe(0);
    expect(posted()).toEqual([{ path: `${job}/instances`, body: { count: 2 } }]);
    await api.close();
    const refused = await run(['job', 'add', key, '2', '--watch', '10s']);
    expect(refused.code).toBe(6);
    expect(refused.err).toContain('--batch-size');
    expect(posted()).toEqual([]);
  });
});

describe('job shrink', () => {
  it.each([
    [[key, '2'], { kind: 'remove', count: 2 }],
    [
      [`${key}/0,4`],
      {
        kind: 'remove',
        instances: [
          [0, 0],
          [4, 4],
        ],
      },
    ],
  ])('%j removes %j as an update', async (words, change) => {
    expect((await run(['job', 'shrink', ...words])).code).toBe(0);
    expect(posted()).toEqual([{ path: `${job}/updates`, body: { change, settings: {} } }]);
  });

  it.each([
    [[key], 'say how many'],
    [[`${key}/3`, '2'], 'not both'],
    [[key, '0'], 'not a number of instances'],
  ])('%j is refused', async (words, says) => {
    const { code, err } = await run(['job', 'shrink', ...words]);
    expect(code).toBe(6);
    expect(err).toContain(says);
    expect(posted()).toEqual([]);
  });
});
