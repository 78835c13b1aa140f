// What users put into a job never reaches a log line: the real loggers, with a secret in every place a user can write to,
// on the ways that go well and on those that fail.
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTelemetry } from '../../functions/runtime.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from './support/world.ts';

const secret = 'hunter2-very-secret';
let world: World;
let written: string;

beforeEach(async () => {
  world = await createWorld();
  written = '';
  const telemetry = createTelemetry('test', 'local');
  world.log.forward = telemetry.log;
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((chunk: unknown) => {
      written += String(chunk);
      return true;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.stop();
});

/** A job with the secret in all that is free text. */
function secretJob() {
  const { processes } = submission().configs[0]?.task ?? { processes: [] };
  const cmdline = `export PASSWORD=${secret}; exec server`;
  return submission({}, {
    processes: processes.map((one) => ({ ...one, cmdline })),
    metadata: { note: secret },
  } as object);
}

/** The lines of the log so far; fails if a secret is in them or if there are none. */
function expectClean(): void {
  expect(written).not.toContain(secret);
  expect(written.split('\n').filter((line) => line.startsWith('{')).length).toBeGreaterThan(0);
}

describe('logs', () => {
  it('hold no secret of a job that is submitted, placed, launched, reported on and killed', async () => {
    await world.report([registration('a1')]);
    const job = secretJob();
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(201);
    await world.run();
    const tasks = await world.tasks(job);
    const ids = tasks.map(({ taskId }) => taskId);
    expect(JSON.stringify(world.agents.of('a1'))).toContain(secret);
    await world.report(ids.map((taskId) => statusReport('a1', [[taskId, 'RUNNING']])));
    await world.report([statusReport('a2', [[ids[0] ?? '', 'FAILED', 'not mine']])]);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    expectClean();
  });

  it.each([
    ['no JSON', `${secret} {`],
    ['JSON that ends early', `{"v": 1, "kind": "status", "password": "${secret}`],
    ['an unknown shape', { v: 1, kind: secret, env: { PASSWORD: secret } }],
    [
      'a status with a strange state',
      { ...statusReport('a1', []), statuses: [{ taskId: secret, state: secret }] },
    ],
  ])('hold nothing of a report that is %s', async (_what, body) => {
    expect(await world.report([body])).toEqual(['m0']);
    expectClean();
  });

  it('hold nothing of the rows that a failing transaction carries', async () => {
    const cause = new TransactionCanceledException({
      message: 'cancelled',
      $metadata: {},
      CancellationReasons: [{ Code: 'ConditionalCheckFailed', Item: { j: { S: secret } } }],
    });
    vi.spyOn(world.store, 'createJob').mockRejectedValue(
      new BorealisError('INTERNAL', 'the store failed', { cause }),
    );
    const job = secretJob();
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(500);
    expectClean();
  });

  it('hold nothing of a body that cannot be read', async () => {
    const job = submission();
    expect((await world.call('POST', pathOf(job), { body: `{"password": ${secret}` })).status).toBe(400);
    vi.spyOn(world.store, 'createJob').mockRejectedValue(new SyntaxError(`Unexpected token in ${secret}`));
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(500);
    expectClean();
  });
});
