// What IAM decides on is what the API acts on: a name in other letters than the caller sent is not acted on.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRequest } from '../../../functions/api/read-request.ts';
import type { HttpEvent } from '../../../functions/middleware/http.ts';
import { createWorld, pathOf, submission, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

describe('a percent-encoded path', () => {
  it.each([
    ['a letter of the role', (path: string) => path.replace('/web/', '/%77eb/')],
    ['a letter of the role, twice', (path: string) => path.replace('/web/', '/%2577eb/')],
    ['a slash', (path: string) => path.replace('/web/prod/', '/web%2Fprod/')],
    ['the name of the route', (path: string) => `/%6Aobs${path.slice('/jobs'.length)}`],
  ])('is refused and changes nothing: %s', async (_what, encode) => {
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    const before = await world.dump();
    for (const [method, path] of [
      ['GET', pathOf(job)],
      ['POST', `${pathOf(job)}/kill`],
      ['POST', pathOf({ ...job, name: 'another' })],
    ] as const) {
      const answer = await world.call(method, encode(path), { ...(method === 'POST' && { body: {} }) });
      expect(answer.status, `${method} ${encode(path)}`).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect(await world.dump()).toEqual(before);
  });

  /** As a gateway hands it over: decoded or not, in the path or in the parameters. */
  const event = (rawPath: string, role: string): HttpEvent => {
    const http = { method: 'GET', path: rawPath };
    const params = { role, environment: 'prod', name: 'api' };
    return { rawPath, pathParameters: params, headers: {}, requestContext: { http } } as unknown as HttpEvent;
  };

  it.each([
    ['decoded in the parameters only', event('/jobs/%77eb/prod/api', 'web')],
    ['decoded once, after it was encoded twice', event('/jobs/%77eb/prod/api', '%77eb')],
    ['in the parameters only', event('/jobs/web/prod/api', '%77eb')],
  ])('is refused %s', (_what, encoded) => {
    expect(() => readRequest('getJob', encoded)).toThrow(/percent-encoded/);
  });

  it('is not made of what is sent as it is', () => {
    const { params } = readRequest('getJob', event('/jobs/web/prod/api', 'web'));
    expect(params).toEqual({ role: 'web', environment: 'prod', name: 'api' });
  });
});
