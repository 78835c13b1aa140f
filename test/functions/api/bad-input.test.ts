// Every kind of bad request gets its exact code, a message that says where and what to do, and changes nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemSchema } from '../../../shared/api/views.ts';
import { makeConfig } from '../../contract/fixtures.ts';
import { createWorld, pathOf, submission, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

const job = submission({ name: 'good' });
const path = pathOf(job);
const [config] = job.configs;
const task = config?.task ?? makeConfig();
const withTask = (over: object) => ({
  ...job,
  configs: [{ instances: [[0, 0]], task: { ...task, ...over } }],
});

interface Bad {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly body?: unknown;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  /** Must be in the message. */
  readonly says: string;
}

const table: readonly Bad[] = [
  { what: 'broken JSON', body: '{"role": ', status: 400, code: 'MALFORMED_BODY', says: 'not valid JSON' },
  {
    what: 'a forbidden key',
    body: '{"__proto__": {"a": 1}}',
    status: 400,
    code: 'MALFORMED_BODY',
    says: 'JSON',
  },
  { what: 'no body', status: 400, code: 'INVALID_REQUEST', says: 'body role' },
  { what: 'a list as body', body: [], status: 400, code: 'INVALID_REQUEST', says: 'body' },
  {
    what: 'a huge body',
    body: `"${'x'.repeat(1_100_000)}"`,
    status: 413,
    code: 'BODY_TOO_LARGE',
    says: '1048576',
  },
  {
    what: 'an unknown field',
    body: { ...job, colour: 'red' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'colour',
  },
  {
    what: 'an unknown field of a task',
    body: withTask({ restart: true }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'configs[0].task',
  },
  {
    what: 'a wrong type',
    body: withTask({ priority: 'high' }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'configs[0].task.priority',
  },
  {
    what: 'a dedicated constraint of another role',
    body: withTask({
      constraints: [{ kind: 'value', attribute: 'dedicated', negated: false, values: ['db/x'] }],
    }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'configs[0].task',
  },
  {
    what: 'a config too large to launch',
    body: withTask({
      processes: Array.from({ length: 4 }, (_, index) => ({
        ...task.processes[0],
        name: `p${index}`,
        cmdline: `echo ${'x'.repeat(60_000)}`,
      })),
    }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: '180000',
  },
  {
    what: 'constraints too large for the row of each task',
    body: withTask({
      constraints: Array.from({ length: 32 }, (_, at) => ({
        kind: 'value',
        attribute: `a${at}`,
        negated: true,
        values: Array.from({ length: 64 }, (_value, index) => `v${index}`.padEnd(20, 'x')),
      })),
    }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'configs[0].task.constraints',
  },
  {
    what: 'an environment that is not allowed',
    path: '/jobs/web/moon/good',
    body: { ...job, environment: 'moon' },
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'environment',
  },
  {
    what: 'overlapping instances',
    body: {
      ...job,
      configs: [
        {
          instances: [
            [0, 3],
            [2, 5],
          ],
          task,
        },
      ],
    },
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'instances',
  },
  {
    what: 'another key in the path',
    path: '/jobs/web/prod/other',
    body: job,
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'Make them equal',
  },
  {
    what: 'a bad key in the path',
    path: '/jobs/w!eb/prod/good',
    body: job,
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'path role',
  },
  {
    what: 'another cluster',
    body: { ...job, cluster: 'mars' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'mars',
  },
  {
    what: 'an endless token',
    body: job,
    headers: { 'idempotency-key': 'x'.repeat(129) },
    status: 400,
    code: 'INVALID_REQUEST',
    says: '128',
  },
  {
    what: 'a token with half a character',
    body: job,
    headers: { 'idempotency-key': 'a\ud800' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'Unicode',
  },
  {
    what: 'a message with half a character',
    path: `${path}/kill`,
    body: { message: 'bye \udc00' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'body message: not Unicode text',
  },
  {
    what: 'a field name with half a character',
    body: withTask({ metadata: { '\ud83d': 'x' } }),
    status: 400,
    code: 'INVALID_CONFIG',
    says: 'not Unicode text',
  },
  {
    what: 'no path at all',
    method: 'GET',
    path: '',
    status: 404,
    code: 'ROUTE_NOT_FOUND',
    says: 'openapi.json',
  },
  {
    what: 'an unknown route',
    method: 'GET',
    path: '/nothing/here',
    status: 404,
    code: 'ROUTE_NOT_FOUND',
    says: '/openapi.json',
  },
  {
    what: 'a wrong method',
    method: 'DELETE',
    path: '/jobs',
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    says: 'use GET',
  },
  {
    what: 'a wrong method with a parameter',
    method: 'PUT',
    path,
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    says: 'POST or GET',
  },
  {
    what: 'an unknown query',
    method: 'GET',
    path: '/jobs',
    query: { sort: 'up' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'sort',
  },
  {
    what: 'a limit that is no number',
    method: 'GET',
    path: '/jobs',
    query: { limit: 'all' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'query limit',
  },
  {
    what: 'a job that does not exist',
    method: 'GET',
    path: '/jobs/web/prod/none',
    status: 404,
    code: 'NOT_FOUND',
    says: 'GET /jobs/web',
  },
  {
    what: 'a task id that is none',
    method: 'GET',
    path: '/tasks/nothing',
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'path taskId',
  },
  {
    what: 'a task that does not exist',
    method: 'GET',
    path: '/tasks/web~prod~good~0~1~abcdefgh',
    status: 404,
    code: 'NOT_FOUND',
    says: 'no task',
  },
  {
    what: 'an agent that does not exist',
    method: 'GET',
    path: '/agents/nobody',
    status: 404,
    code: 'NOT_FOUND',
    says: 'GET /agents',
  },
  {
    what: 'the list of an unknown agent',
    method: 'GET',
    path: '/agents/nobody/tasks',
    status: 404,
    code: 'NOT_FOUND',
    says: 'registered',
  },
  {
    what: 'why of no job',
    method: 'GET',
    path: '/jobs/web/prod/none/why',
    status: 404,
    code: 'NOT_FOUND',
    says: 'no job',
  },
  {
    what: 'why with a wrong flag',
    method: 'GET',
    path: `${path}/why`,
    query: { agents: 'yes' },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'query agents',
  },
  {
    what: 'a kill of no job',
    path: '/jobs/web/prod/none/kill',
    body: {},
    status: 404,
    code: 'NOT_FOUND',
    says: 'no job',
  },
  {
    what: 'a kill of a reversed range',
    path: `${path}/kill`,
    body: { instances: [[3, 1]] },
    status: 404,
    code: 'NOT_FOUND',
    says: 'no job',
  },
  {
    what: 'a kill of half an instance',
    path: `${path}/kill`,
    body: { instances: [[0.5, 1]] },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'instances[0][0]',
  },
  {
    what: 'a restart with an unknown field',
    path: `${path}/restart`,
    body: { force: true },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'force',
  },
  {
    what: 'adding nothing',
    path: `${path}/instances`,
    body: { count: 0 },
    status: 400,
    code: 'INVALID_REQUEST',
    says: 'body count',
  },
];

describe('bad input', () => {
  it.each(table)('$what: $status $code', async (bad) => {
    const answer = await world.call(bad.method ?? 'POST', bad.path ?? path, {
      body: bad.body,
      ...(bad.query && { query: bad.query }),
      ...(bad.headers && { headers: bad.headers }),
    });
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: bad.status, code: bad.code });
    const problem = problemSchema.parse(answer.body);
    expect(problem.detail).toContain(bad.says);
    expect(problem.requestId).toBe('request-1');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it('stored nothing at all', async () => {
    expect(await world.dump()).toEqual([]);
  });

  it('refuses a cursor that this listing did not give out', async () => {
    await world.call('POST', path, { body: job });
    const answer = await world.call('GET', path, { query: { cursor: 'nonsense' } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect((await world.call('GET', '/jobs', { query: { cursor: 'nonsense' } })).status).toBe(400);
    expect((await world.call('GET', '/agents', { query: { cursor: 'nonsense' } })).status).toBe(400);
  });

  it('names a reversed range', async () => {
    const answer = await world.call('POST', `${path}/kill`, { body: { instances: [[3, 1]] } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(answer.body.detail).toContain('write 1-3');
  });
});
