// The signing client against a server that verifies every signature by its own implementation of the algorithm.
import { describe, expect, it } from 'vitest';
import { createApiClient } from '../../../shared/api/client.ts';
import { createSignedFetch, type SignedFetchOptions } from '../../../shared/api/signed-fetch.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import { startVerifyingApi, testKey, type VerifyingApiOptions } from '../../support/verifying-api.ts';

const version = { cluster: 'test', version: '1' };
const job = { role: 'www', environment: 'prod', name: 'hello.world-1' };

async function fixture(server: Partial<VerifyingApiOptions> = {}, signing: Partial<SignedFetchOptions> = {}) {
  const api = await startVerifyingApi({ answer: () => ({ status: 200, body: version }), ...server });
  const warnings: string[] = [];
  const fetch = createSignedFetch({
    baseUrl: api.url,
    region: 'eu-west-1',
    credentials: async () => testKey,
    warn: (line) => warnings.push(line),
    ...signing,
  });
  const client = createApiClient({ baseUrl: api.url, fetch, sleep: async () => {} });
  return { api, client, fetch, warnings };
}

async function failure(work: Promise<unknown>): Promise<BorealisError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof BorealisError) return error;
  throw new Error(`no BorealisError: ${String(error)}`);
}

describe('signed requests', () => {
  it('are taken by a server that verifies them: with path, query, body and headers', async () => {
    const { api, client, fetch } = await fixture();
    await client.call('version');
    await failure(
      client.call('killJob', { params: job, body: { message: 'bye & "thanks" ü' }, idempotencyKey: 'k 1' }),
    );
    await failure(client.call('getTask', { params: { taskId: 'www~prod~hello~0~1~abc' } }));
    await failure(client.call('listJobs', { query: { limit: 7, cursor: "a+b/c= d*e'(f)~ü!" } }));
    expect(await (await fetch(`${api.url}/a%20b/c?x=1&x=0&empty=&A=z`)).json()).toEqual(version);
    expect(api.seen.map(({ refused }) => refused)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(api.seen[1]?.request.body).toBe(JSON.stringify({ message: 'bye & "thanks" ü' }));
    const cursor = new URLSearchParams(api.seen[3]?.request.target.split('?')[1]).get('cursor');
    expect(cursor).toBe("a+b/c= d*e'(f)~ü!");
  });

  it('carry the session token of temporary credentials, signed', async () => {
    const { api, client } = await fixture(
      { tokens: { [testKey.accessKeyId]: 'token//==' } },
      { credentials: async () => ({ ...testKey, sessionToken: 'token//==' }) },
    );
    expect(await client.call('version')).toEqual(version);
    expect(api.seen[0]?.request.headers.authorization).toContain('x-amz-security-token');
  });

  it('are signed anew when repeated: with the time and the key of the new try', async () => {
    let now = Date.now();
    const clock = () => (now += 60_000);
    let asked = 0;
    const { api, client } = await fixture(
      {
        // Ten minutes pass between the tries: the old signature would be refused.
        clock: () => now,
        answer: (_request, times) => {
          now += 600_000;
          return times === 1 ? { status: 503, body: 'busy' } : { status: 200, body: version };
        },
      },
      {
        clock,
        credentials: async () => {
          asked += 1;
          return testKey;
        },
      },
    );
    expect(await client.call('version')).toEqual(version);
    const dates = api.seen.map(({ request }) => request.headers['x-amz-date']);
    expect(new Set(dates).size).toBe(2);
    expect(api.seen.map(({ refused }) => refused)).toEqual([undefined, undefined]);
    expect(asked).toBe(2);
  });
});

describe('a wrong clock', () => {
  it.each([
    [-20, /clock is 20 minutes behind/],
    [20, /clock is 20 minutes ahead of/],
  ])("of %d minutes is told, and the server's time is used from then on", async (minutes, warning) => {
    const { api, client, warnings } = await fixture({}, { clock: () => Date.now() + minutes * 60_000 });
    expect(await client.call('version')).toEqual(version);
    expect(await client.call('version')).toEqual(version);
    expect(api.seen.map(({ refused }) => refused === undefined)).toEqual([false, true, true]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
  });
});

describe('a refusal', () => {
  it('by the gateway says who asked, what it would need and where to look', async () => {
    const { api, client } = await fixture(
      {},
      { credentials: async () => ({ ...testKey, secretAccessKey: 'wrong' }), profile: 'prod' },
    );
    const error = await failure(client.call('killJob', { params: job, body: {} }));
    expect(error.code).toBe('FORBIDDEN');
    expect(error.message).toMatch(
      /POST \/jobs\/www\/prod\/hello.world-1\/kill was refused.*nothing was changed/,
    );
    expect(error.message).toContain('AKIATESTKEY of the profile "prod"');
    expect(error.message).toContain('/$default/POST/jobs/www/prod/hello.world-1/kill');
    expect(error.message).toContain('get-caller-identity --profile prod');
    expect(error.message).not.toContain('wrong');
    expect(api.seen).toHaveLength(1);
  });

  it('says that the credentials have expired when they have', async () => {
    const expiration = new Date(Date.now() - 1000);
    const { client } = await fixture(
      {},
      { credentials: async () => ({ ...testKey, secretAccessKey: 'old', expiration }) },
    );
    expect((await failure(client.call('version'))).message).toContain('(1) these credentials have expired');
  });

  it('by Borealis itself keeps its own words', async () => {
    const problem = {
      type: 't',
      title: 't',
      status: 403,
      code: 'FORBIDDEN',
      detail: 'not yours',
      requestId: 'r',
    };
    const { client } = await fixture({
      answer: () => ({ status: 403, body: problem, type: 'application/problem+json' }),
    });
    expect((await failure(client.call('version'))).message).toBe('not yours');
  });
});

describe('without what it takes to sign', () => {
  it('nothing is sent, and it says how to get credentials', async () => {
    const { api, client } = await fixture(
      {},
      {
        credentials: () => Promise.reject(new Error('Could not load credentials from any providers')),
        profile: 'x',
      },
    );
    const error = await failure(client.call('version'));
    expect([error.code, error.exitCode]).toEqual(['FORBIDDEN', 30]);
    expect(error.message).toMatch(
      /no AWS credentials for the profile "x".*Could not load.*aws sso login.*--auth none/,
    );
    expect(api.seen).toEqual([]);
  });
});
