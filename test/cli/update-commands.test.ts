// What the update commands send, print and end with.
import { afterEach, describe, expect, it } from 'vitest';
import { type Answers, type FakeApi, fakeApi, ok, problem } from './support/fake-api.ts';
import { runCli } from './support/fake-io.ts';
import { endedUpdate, updateDetail, updatePlan, updateView } from './support/fake-updates.ts';

const key = 'local/www/prod/hello';
const route = '/jobs/www/prod/hello/updates';
const jobFile = 'test/cli/support/hello.yaml';
const diff = { add: [], remove: [], update: [[0, 8]], unchanged: [] };
const started = { status: 202, body: { update: updateView(), diff, message: 'accepted' } };
const esc = String.fromCodePoint(27);

let api: FakeApi;
async function serve(answers: Answers): Promise<string> {
  api = await fakeApi(answers);
  return api.url;
}
afterEach(() => api?.close());
const sent = () => api.asked.find(({ method }) => method === 'POST')?.body as Record<string, unknown>;

describe('update start', () => {
  it('sends the file, says what will happen and prints the id', async () => {
    const url = await serve({ [`POST ${route}`]: () => started });
    const { code, out, err } = await runCli(['update', 'start', jobFile], { api: url });
    expect([code, out]).toEqual([0, 'u1\n']);
    expect(err).toContain('This update will:\n  update 9: instances 0-8\n');
    expect(err).toContain(`borealis update wait ${key}`);
    expect(sent()).toMatchObject({ change: { kind: 'replace', configs: [{ instances: [[0, 1]] }] } });
    expect(api.asked.at(-1)?.headers['idempotency-key']).toMatch(/^[\w-]{36}$/);
  });

  it.each([
    [[], {}],
    [['--batch-size', '3'], { strategy: { kind: 'queue', groupSize: 3 } }],
    [
      ['--batch-size', '3', '--wait-for-batch'],
      { strategy: { kind: 'batch', groupSize: 3, autoPause: false } },
    ],
    [
      ['--batches', '1,5,20', '--auto-pause'],
      { strategy: { kind: 'varBatch', groupSizes: [1, 5, 20], autoPause: true } },
    ],
    [
      ['--watch', '90s', '--max-per-instance-failures', '1', '--max-total-failures', '1', '--no-rollback'],
      {
        minWaitInInstanceRunningMs: 90_000,
        maxPerInstanceFailures: 1,
        maxFailedInstances: 1,
        rollbackOnFailure: false,
      },
    ],
    [
      ['--pulse', '2m', '--placement-deadline', '10m', '--on-placement-deadline', 'rollback'],
      { blockIfNoPulsesAfterMs: 120_000, placementDeadlineMs: 600_000, onPlacementDeadline: 'rollback' },
    ],
  ])('reads %j as settings', async (words, settings) => {
    const url = await serve({ [`POST ${route}`]: () => started });
    expect((await runCli(['update', 'start', jobFile, ...words], { api: url })).code).toBe(0);
    expect(sent().settings).toEqual(settings);
  });

  it.each([
    [['--batch-size', '0'], '--batch-size "0" is not a whole number from 1'],
    [['--batches', '1,x'], '--batches "x"'],
    [['--batches', '1,2', '--batch-size', '2'], 'contradict'],
    [['--pulse', '5s'], 'at least 1m'],
    [['--watch', 'soon'], 'not a time span'],
    [['--max-total-failures', '-1'], '--max-total-failures'],
    [
      ['--max-total-failures', '2'],
      '--max-total-failures (or the file): 2 of 2 instances: the update could never fail; at most 1',
    ],
    [['--max-per-instance-failures', '10001'], 'at most 10000'],
    [['--metadata', 'ticket'], 'is not name=value'],
    [['--expect-version', 'x'], '`update plan` prints it'],
  ])('refuses %j with 6 before anything is sent', async (words, says) => {
    const url = await serve({});
    const { code, err } = await runCli(['update', 'start', jobFile, ...words], { api: url });
    expect(code).toBe(6);
    expect(err).toContain(says);
    expect(api.asked.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('touches only the instances of the key, with message, labels and the version of a plan', async () => {
    const url = await serve({ [`POST ${route}`]: () => started });
    const words = ['-m', 'canary', '--metadata', 'ticket=OPS-1', '--expect-version', '7', '--json'];
    const { out } = await runCli(['update', 'start', `${key}/0,3`, jobFile, ...words], { api: url });
    expect(sent()).toMatchObject({
      only: [
        [0, 0],
        [3, 3],
      ],
      message: 'canary',
      metadata: { ticket: 'OPS-1' },
      expectedVersion: 7,
    });
    expect(JSON.parse(out)).toMatchObject({ update: { updateId: 'u1' }, diff });
  });

  it('repeats a broken connection with the same token', async () => {
    const url = await serve({ [`POST ${route}`]: (_asked, times) => (times < 3 ? 'hang up' : started) });
    expect((await runCli(['update', 'start', jobFile], { api: url })).code).toBe(0);
    const tokens = api.asked
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => headers['idempotency-key']);
    expect([tokens.length, new Set(tokens).size]).toEqual([3, 1]);
  });

  it('waits for the last change of the job to be carried out', async () => {
    const settling = {
      status: 409,
      body: {
        ...(problem(409, 'CONFLICT', 'still being carried out') as { body: object }).body,
        details: { specVersion: 2, reconciledVersion: 1 },
      },
    };
    const url = await serve({ [`POST ${route}`]: (_asked, times) => (times < 2 ? settling : started) });
    expect((await runCli(['update', 'start', jobFile], { api: url })).code).toBe(0);
  });

  it('ends with 4 and the id of the update that is active', async () => {
    const url = await serve({
      [`POST ${route}`]: () => problem(409, 'CONFLICT', 'job is being updated by u0 (ROLLING_FORWARD)'),
    });
    const { code, err } = await runCli(['update', 'start', jobFile], { api: url });
    expect(code).toBe(4);
    expect(err).toContain('being updated by u0');
  });

  it('says that there is nothing to do, and ends with 0 also with --wait', async () => {
    const none = { update: null, diff: { ...diff, update: [] }, message: 'unchanged' };
    const url = await serve({ [`POST ${route}`]: () => ({ status: 202, body: none }) });
    const { code, out, err } = await runCli(['update', 'start', jobFile, '--wait'], { api: url });
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain('nothing to do');
  });

  it.each([
    ['ROLLED_FORWARD', 0, 'ROLLED_FORWARD: 9 instances updated in 1m.'],
    ['ROLLED_BACK', 4, 'ROLLED_BACK: 9 instances put back after 1m.'],
    ['FAILED', 20, 'FAILED after 1m'],
    ['ABORTED', 20, 'ABORTED after 1m: instances stay as they are'],
    ['ERROR', 20, 'ERROR after 1m'],
  ] as const)('--wait on an update that ends %s ends with %d', async (status, exit, says) => {
    const url = await serve({
      [`POST ${route}`]: () => started,
      [`GET ${route}/u1`]: (_asked, times) => ok(times < 2 ? updateDetail() : endedUpdate(status)),
    });
    const { code, out, err } = await runCli(['update', 'start', jobFile, '--wait'], { api: url });
    expect([code, out]).toEqual([exit, 'u1\n']);
    expect(err.trimEnd().split('\n').at(-1)).toContain(says);
  });
});

describe('following an update', () => {
  const batch = (number: number, done: number, working: number) => ({
    number,
    instances: [[3 * number - 3, 3 * number - 1]] as [number, number][],
    total: 3,
    waiting: 3 - done - working,
    working,
    done,
    failed: 0,
  });
  const paused = updateDetail({
    status: 'ROLL_FORWARD_PAUSED',
    events: [
      {
        status: 'ROLL_FORWARD_PAUSED',
        at: '2026-11-22T10:00:00.000Z',
        user: null,
        message: 'Update auto paused',
      },
    ],
    batch: batch(2, 0, 0),
  });
  const script = [
    updateDetail({ batch: batch(1, 2, 1) }),
    updateDetail({ batch: batch(1, 2, 1) }),
    paused,
    updateDetail({ batch: batch(2, 1, 2) }),
    endedUpdate('ROLLED_FORWARD', { batchList: [batch(1, 3, 0), batch(2, 3, 0), batch(3, 3, 0)] }),
  ];
  const answers: Answers = {
    [`GET ${route}/u1`]: (_asked, times) => ok(script[Math.min(times, script.length) - 1]),
  };

  it('in a pipe says each change once, without colours, and ends with one line', async () => {
    const url = await serve(answers);
    const { code, out, err } = await runCli(['update', 'wait', key, 'u1'], { api: url });
    expect([code, out]).toEqual([0, '']);
    const lines = err.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/^ *\d+s {2}/, ''))).toEqual([
      'ROLLING_FORWARD batch 1/3 (instances 0-2): 2/9 done, 1 working',
      'ROLL_FORWARD_PAUSED batch 2/3 (instances 3-5): 2/9 done, 1 working',
      `paused (Update auto paused): go on with \`borealis update resume ${key}\``,
      'ROLLING_FORWARD batch 2/3 (instances 3-5): 2/9 done, 1 working',
      `${key}: update u1 ROLLED_FORWARD: 9 instances updated in 1m.`,
    ]);
    expect(err).not.toContain(esc);
  });

  it('on a terminal repaints one line per batch, with a bar', async () => {
    const url = await serve(answers);
    const env = { NO_COLOR: '1' };
    const { err } = await runCli(['update', 'wait', key, 'u1'], { api: url, tty: true, env });
    const lines = err.split('\n').map((line) => line.split(`\r${esc}[K`).at(-1) ?? '');
    expect(lines[0]).toMatch(/ROLLING_FORWARD {2}batch 1\/3 \[#{13}>{7}\] 0-2 {2}2\/9 done$/);
    expect(lines[1]).toMatch(/ROLL_FORWARD_PAUSED {2}batch 2\/3 \[\.{20}\] 3-5/);
    expect(lines[2]).toContain('paused (Update auto paused)');
    // Left for good when the next look tells how it ended.
    expect(lines[3]).toMatch(/ROLLED_FORWARD {2}batch 2\/3 \[#{20}\] 3-5/);
    expect(lines[4]).toMatch(/ROLLED_FORWARD {2}\[#{20}\] {2}9\/9 done$/);
    expect(lines[5]).toContain('9 instances updated in 1m.');
  });

  it('says why it goes back, and why at the end', async () => {
    const events = [
      {
        status: 'ROLLING_BACK',
        at: '2026-11-22T10:00:00.000Z',
        user: null,
        message: 'Latest failure: instance 8 exited.',
      },
    ] as const;
    const back = { direction: 'back' as const, events: [...events] };
    const steps = [updateDetail({ status: 'ROLLING_BACK', ...back }), endedUpdate('ROLLED_BACK', back)];
    const url = await serve({ [`GET ${route}/u1`]: (_asked, times) => ok(steps[Math.min(times, 2) - 1]) });
    const { code, err } = await runCli(['update', 'wait', key, 'u1'], { api: url });
    expect(code).toBe(4);
    expect(err).toContain('rolling back (Latest failure: instance 8 exited.)');
    expect(err).toContain('ROLLED_BACK: 9 instances put back after 1m. Latest failure: instance 8 exited.');
  });

  it('of the newest update needs no id', async () => {
    const url = await serve({
      [`GET ${route}/latest`]: () => ok(updateDetail()),
      [`GET ${route}/u1`]: () => ok(endedUpdate('ROLLED_FORWARD')),
    });
    const { code, out } = await runCli(['update', 'wait', key, '--json'], { api: url });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ updateId: 'u1', status: 'ROLLED_FORWARD' });
  });

  it('ends with 9 when the time is over, says what waits, and leaves the update alone', async () => {
    const reason = {
      verdict: 'waiting',
      agents: 1,
      counts: [{ code: 'CPU', agents: 1 }],
      nearest: { agentId: 'a2', reasons: [{ code: 'CPU', needed: 4000, available: 2500 }] },
      at: 0,
    } as const;
    const one = { instance: 2, since: null, taskId: 't', agentId: null, configId: 'new' };
    const stuck = updateDetail({
      working: [
        {
          ...one,
          waitsFor: 'PLACEMENT',
          state: 'PENDING',
          reason: {
            ...reason,
            counts: [...reason.counts],
            nearest: { agentId: 'a2', reasons: [...reason.nearest.reasons] },
          },
        },
      ],
    });
    const url = await serve({ [`GET ${route}/u1`]: () => ok(stuck) });
    const { code, err } = await runCli(['update', 'wait', key, 'u1', '--timeout', '10ms'], { api: url });
    expect(code).toBe(9);
    expect(err).toContain(
      'instance 2 waits for room: nearest is agent a2, where it needs 4 cores and 2.5 cores is free',
    );
    expect(api.asked.every(({ method }) => method === 'GET')).toBe(true);
  });
});

describe('update plan', () => {
  it('ends with 1 and shows per batch what is ended and where new tasks go, or why nowhere', async () => {
    const url = await serve({ [`POST ${route}/plan`]: () => ok(updatePlan()) });
    const { code, out } = await runCli(['update', 'plan', jobFile], { api: url });
    expect(code).toBe(1);
    expect(out).toContain(`${key} is at version 7`);
    expect(out).toContain(
      'Batch 1:\n  2: place a new one on a1\n  0: end the RUNNING task on a1, place a new one on a1',
    );
    expect(out).toContain(
      'Batch 2:\n  1: end the RUNNING task on a1, the new one would wait for room: nearest is agent a2',
    );
    expect(out).toContain('1 new task would find no place now');
  });

  it('ends with 0 when there is no change', async () => {
    const plan = updatePlan({ changed: false, steps: [], batches: 0 });
    const url = await serve({ [`POST ${route}/plan`]: () => ok(plan) });
    const { code, out, err } = await runCli(['update', 'plan', jobFile], { api: url });
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain('no change');
  });

  it('prints exactly the answer as JSON, for `update start --expect-version`', async () => {
    const url = await serve({ [`POST ${route}/plan`]: () => ok(updatePlan()) });
    const { code, out } = await runCli(['update', 'plan', jobFile, '--json'], { api: url });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual(updatePlan());
  });
});

describe('calls', () => {
  const called = (status: UpdateStatus) => ({
    status: 202,
    body: { update: updateView({ status }), message: `update u1 is now ${status}` },
  });
  type UpdateStatus = ReturnType<typeof updateView>['status'];

  it.each([
    [['pause'], 'active/pause', {}, 'ROLL_FORWARD_PAUSED'],
    [['pause', '-m', 'look'], 'active/pause', { message: 'look' }, 'ROLL_FORWARD_PAUSED'],
    [['resume'], 'active/resume', {}, 'ROLLING_FORWARD'],
    [['rollback', '-m', 'bad'], 'active/rollback', { message: 'bad' }, 'ROLLING_BACK'],
    [['abort', '--hold'], 'active/abort', { instances: 'hold' }, 'ABORTED'],
    [['abort', '--rollback'], 'active/abort', { instances: 'rollback' }, 'ROLLING_BACK'],
  ] as const)('%j asks for %s', async ([verb, ...words], path, body, status) => {
    const url = await serve({ [`POST ${route}/${path}`]: () => called(status) });
    const { code, err } = await runCli(['update', verb, key, ...words], { api: url });
    expect(code).toBe(0);
    expect(err).toBe(`${key}: update u1 is now ${status}\n`);
    expect(sent()).toEqual(body);
  });

  it('take the id of an update and print it as JSON', async () => {
    const url = await serve({ [`POST ${route}/u7/pause`]: () => called('ROLL_FORWARD_PAUSED') });
    const { out } = await runCli(['update', 'pause', key, 'u7', '--json'], { api: url });
    expect(JSON.parse(out)).toMatchObject({ status: 'ROLL_FORWARD_PAUSED' });
  });

  it.each([[[]], [['--hold', '--rollback']]])(
    'abort with %j is refused: both are right sometimes',
    async (words) => {
      const url = await serve({});
      const { code, err } = await runCli(['update', 'abort', key, ...words], { api: url });
      expect(code).toBe(6);
      expect(err).toMatch(/--hold.*--rollback.*goes on unchanged/);
      expect(api.asked).toEqual([]);
    },
  );

  it('without an active update end with 6', async () => {
    const url = await serve({
      [`POST ${route}/active/pause`]: () =>
        problem(404, 'NOT_FOUND', 'No active update found for job www/prod/hello'),
    });
    const { code, err } = await runCli(['update', 'pause', key], { api: url });
    expect(code).toBe(6);
    expect(err).toContain('No active update found');
  });

  it('rollback --wait ends with 4 when everything is back', async () => {
    const url = await serve({
      [`POST ${route}/active/rollback`]: () => called('ROLLING_BACK'),
      [`GET ${route}/u1`]: () => ok(endedUpdate('ROLLED_BACK')),
    });
    expect((await runCli(['update', 'rollback', key, '--wait'], { api: url })).code).toBe(4);
  });

  it('pulse prints OK, or FINISHED when no more pulses are needed', async () => {
    const url = await serve({
      [`POST ${route}/active/pulse`]: (_asked, times) => ({
        status: 202,
        body: { answer: times === 1 ? 'OK' : 'FINISHED', update: updateView() },
      }),
    });
    expect((await runCli(['update', 'pulse', key], { api: url })).out).toBe('OK\n');
    expect((await runCli(['update', 'pulse', key], { api: url })).out).toBe('FINISHED\n');
  });
});

describe('update list and info', () => {
  const updates = [
    updateView({ updateId: 'u1', updatedAt: '2026-11-22T10:01:00.000Z' }),
    updateView({ updateId: 'u2', updatedAt: '2026-11-22T10:02:00.000Z', status: 'FAILED', active: false }),
    updateView({ updateId: 'u3', name: 'other', job: 'local/www/prod/other' }),
  ];

  it('lists the most recently changed first, over all pages, by pattern', async () => {
    const url = await serve({
      'GET /updates/www': ({ query }) =>
        ok(
          query.cursor === 'more'
            ? { updates: updates.slice(1), nextCursor: null }
            : { updates: updates.slice(0, 1), nextCursor: 'more' },
        ),
    });
    const { out } = await runCli(['update', 'list', 'local/www/*/hello', '-q'], { api: url });
    expect(out).toBe(`${key} u2\n${key} u1\n`);
  });

  it('asks for groups of statuses by their names', async () => {
    const url = await serve({ 'GET /updates': () => ok({ updates: [], nextCursor: null }) });
    const words = ['--status', 'paused', '--status', 'rolled_back', '--user', 'ann', '--json'];
    const { out } = await runCli(['update', 'list', ...words], { api: url });
    expect(JSON.parse(out)).toEqual({ updates: [] });
    expect(api.asked.at(-1)?.query).toMatchObject({
      status: 'ROLL_FORWARD_PAUSED,ROLL_BACK_PAUSED,ROLLED_BACK',
      user: 'ann',
    });
    const wrong = await runCli(['update', 'list', '--status', 'broken'], { api: url });
    expect(wrong.code).toBe(6);
    expect(wrong.err).toContain('succeeded');
  });

  it('shows progress, batches, working instances and history of one', async () => {
    const detail = updateDetail({
      metadata: { ticket: 'OPS-1' },
      working: [
        {
          instance: 2,
          waitsFor: 'WATCH',
          since: '2026-11-22T10:01:00.000Z',
          taskId: 't',
          state: 'RUNNING',
          agentId: 'a1',
          configId: 'new',
          reason: null,
        },
      ],
    });
    const event = { instance: 0, action: 'INSTANCE_UPDATED', at: '2026-11-22T10:01:00.000Z', message: null };
    const url = await serve({
      [`GET ${route}/latest`]: () => ok(detail),
      [`GET ${route}/u1/events`]: () => ok({ events: [event], nextCursor: null }),
    });
    const { code, out } = await runCli(['update', 'info', key, '--events'], { api: url });
    expect(code).toBe(0);
    expect(out).toContain('[####>>>.............] 2 of 9 instances done');
    expect(out).toContain(
      'settings: batches of 3, watch 45s, bears no failed instance, rolls back on failure',
    );
    expect(out).toMatch(/Batches \(3\):[\s\S]*> 1 +0-2 +\[#{13}>{7}\] +2\/3 done/);
    expect(out).toMatch(/2 +RUNNING +a1 .*runs, but not for long enough yet/);
    expect(out).toContain('metadata: ticket=OPS-1');
    expect(out).toMatch(/History:\n.*ROLLING_FORWARD by ann/);
    expect(out).toContain('0  INSTANCE_UPDATED');
    const json = await runCli(['update', 'info', key, '--json'], { api: url });
    expect(JSON.parse(json.out)).toEqual(detail);
  });
});
