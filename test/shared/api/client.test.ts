import { describe, expect, it } from 'vitest';
import { type ApiClientOptions, createApiClient } from '../../../shared/api/client.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';

const version = { cluster: 'local', version: '1' };
const job = { role: 'r', environment: 'e', name: 'n' };

/** A client whose requests are answered by `answer`, with the requests it made and its pauses. */
function client(
  answer: (request: Request, times: number) => Response | Error,
  more: Partial<ApiClientOptions> = {},
) {
  const requests: Request[] = [];
  const pauses: number[] = [];
  const fetch = (async (input: Request) => {
    requests.push(input);
    const given = answer(input, requests.length);
    if (given instanceof Error) throw given;
    return given;
  }) as typeof globalThis.fetch;
  const sleep = async (ms: number): Promise<void> => void pauses.push(ms);
  return { api: createApiClient({ baseUrl: 'http://api.test/', fetch, sleep, ...more }), requests, pauses };
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

function problem(status: number, code: string): Response {
  return json(
    { type: 't', title: code, status, code, detail: `detail of ${code}`, requestId: 'r-1' },
    status,
  );
}

async function failure(work: Promise<unknown>): Promise<BorealisError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof BorealisError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const refused = Object.assign(new TypeError('fetch failed'), {
  cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
});

describe('the API client', () => {
  it('fills the path, escaped, and the query, without what is absent', async () => {
    const { api, requests } = client(() => problem(404, 'NOT_FOUND'));
    await failure(api.call('getTask', { params: { taskId: 'r~e~n~0~1~a' } }));
    await failure(api.call('listRoleJobs', { params: { role: 'a.b-c' }, query: { limit: 5 } }));
    await failure(api.call('listJobs', { query: {} }));
    expect(requests.map(({ url }) => url)).toEqual([
      'http://api.test/tasks/r~e~n~0~1~a',
      'http://api.test/jobs/a.b-c?limit=5',
      'http://api.test/jobs',
    ]);
  });

  it('gives the problem of the server as an error with code, detail and request id', async () => {
    const { api } = client(() => problem(409, 'JOB_EXISTS'));
    const error = await failure(api.call('killJob', { params: job, body: {} }));
    expect([error.code, error.message, error.details.requestId]).toEqual([
      'JOB_EXISTS',
      'detail of JOB_EXISTS',
      'r-1',
    ]);
  });

  it.each([
    [403, 'FORBIDDEN'],
    [413, 'BODY_TOO_LARGE'],
    [418, 'INVALID_REQUEST'],
    [500, 'INTERNAL'],
    [502, 'UNAVAILABLE'],
    [504, 'TIMEOUT'],
  ])('makes sense of a %d that is no problem document: %s', async (status, code) => {
    const { api } = client(() => new Response('<html>', { status }), { retries: 0 });
    expect((await failure(api.call('version'))).code).toBe(code);
  });

  it('repeats reads that did not get through, with growing pauses', async () => {
    const { api, requests, pauses } = client((_request, times) => (times < 3 ? refused : json(version)));
    expect(await api.call('version')).toEqual(version);
    expect(requests).toHaveLength(3);
    expect(pauses).toEqual([200, 400]);
  });

  it('gives up after some tries and says what is unchanged and what to do', async () => {
    const { api, requests } = client(() => refused);
    const error = await failure(api.call('version'));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toMatch(/http:\/\/api.test .*ECONNREFUSED.*nothing was changed.*BOREALIS_API/);
    expect(requests).toHaveLength(4);
  });

  it('repeats a write only with an idempotency key', async () => {
    const bare = client(() => refused);
    const error = await failure(bare.api.call('killJob', { params: job, body: {} }));
    expect(bare.requests).toHaveLength(1);
    expect(error.message).toContain('is not known');
    const keyed = client(() => refused);
    await failure(keyed.api.call('killJob', { params: job, body: {}, idempotencyKey: 'k' }));
    expect(keyed.requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual(['k', 'k', 'k', 'k']);
  });

  it('does not repeat what the server refused', async () => {
    const { api, requests } = client(() => problem(400, 'INVALID_REQUEST'));
    await failure(api.call('version'));
    expect(requests).toHaveLength(1);
  });

  describe('when the API takes no more at this moment', () => {
    const full = (retryAfterSecs: number) =>
      json(
        {
          type: 't',
          title: 'Backlog full',
          status: 429,
          code: 'BACKLOG_FULL',
          detail: 'full',
          requestId: 'r-1',
          retryAfterSecs,
        },
        429,
      );
    const bare = (headers: Record<string, string> = {}) =>
      json({ message: 'Too Many Requests' }, 429, headers);

    it('waits as long as it was told, a little longer by chance, says so, and sends even a write again', async () => {
      const said: string[] = [];
      const { api, requests, pauses } = client(
        (_request, times) => (times < 3 ? full(7) : problem(404, 'NOT_FOUND')),
        { random: () => 0.5, say: (line) => void said.push(line) },
      );
      expect((await failure(api.call('killJob', { params: job, body: {} }))).code).toBe('NOT_FOUND');
      expect(requests).toHaveLength(3);
      expect(pauses).toEqual([8750, 8750]);
      expect(said[0]).toBe(
        'the control plane takes no more at this moment (BACKLOG_FULL); trying again in 9 s',
      );
    });

    it('waits ever longer for a gateway that does not say how long', async () => {
      const { api, pauses } = client((_request, times) => (times < 4 ? bare() : json(version)), {
        random: () => 0,
      });
      expect(await api.call('version')).toEqual(version);
      expect(pauses).toEqual([1000, 2000, 4000]);
    });

    it('takes the hint of a header too, unless it is absurd', async () => {
      for (const [header, pause] of [
        ['3', 3000],
        ['9999999', 1000],
        ['soon', 1000],
        ['-1', 1000],
      ] as const) {
        const { api, pauses } = client(
          (_request, times) => (times < 2 ? bare({ 'retry-after': header }) : json(version)),
          { random: () => 0 },
        );
        await api.call('version');
        expect(pauses).toEqual([pause]);
      }
    });

    it('gives up with the reason when all pauses together would be longer than its patience', async () => {
      const { api, requests, pauses } = client(() => full(25), { random: () => 0 });
      const error = await failure(api.call('killJob', { params: job, body: {} }));
      expect([error.code, error.retryAfterSecs]).toEqual(['BACKLOG_FULL', 25]);
      expect(pauses).toEqual([25_000, 25_000]);
      expect(requests).toHaveLength(3);
    });

    it('does not repeat a bare write because of a busy store, where it may have happened', async () => {
      const { api, requests } = client(() => problem(429, 'THROTTLED'));
      await failure(api.call('killJob', { params: job, body: {} }));
      expect(requests).toHaveLength(1);
    });

    it('stops waiting when the caller gives up', async () => {
      const giveUp = new AbortController();
      const { api, requests } = client(() => full(5), {
        sleep: async () => giveUp.abort(),
      });
      await expect(api.call('version', { signal: giveUp.signal })).rejects.toThrow('full');
      expect(requests).toHaveLength(1);
    });
  });

  it('takes a code that is none for what its status says', async () => {
    const { api } = client(() => problem(404, 'constructor'));
    expect((await failure(api.call('version'))).code).toBe('NOT_FOUND');
  });

  it('refuses an answer of another shape, as from another program on that port', async () => {
    const { api } = client(() => json({ hello: 'world' }));
    expect((await failure(api.call('version'))).message).toContain('is not what this version understands');
  });

  it('ends at once when the caller gives up', async () => {
    const { api, requests } = client(() => refused);
    const signal = AbortSignal.abort();
    await expect(api.call('version', { signal })).rejects.toThrow();
    expect(requests.length).toBeLessThanOrEqual(1);
  });
});
