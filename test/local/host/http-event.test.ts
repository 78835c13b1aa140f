import { describe, expect, it } from 'vitest';
import { answerFor, eventFor, type HttpRequest } from '../../../local/host/http-event.ts';
import type { RouteMatch } from '../../../local/host/routes.ts';

const match: RouteMatch = {
  route: {
    routeKey: 'GET /jobs/{role}',
    method: 'GET',
    path: '/jobs/{role}',
    functionArn: 'api',
    authorization: 'AWS_IAM',
  },
  pathParameters: { role: 'www' },
};
const request: HttpRequest = {
  method: 'GET',
  url: '/jobs/www?limit=5&tag=a&tag=b&q=1%2B1',
  headers: { host: '127.0.0.1:8081', 'user-agent': 'test', cookie: 'a=1; b=2', 'x-many': 'one' },
  body: Buffer.alloc(0),
  sourceIp: '127.0.0.1',
  receivedAt: new Date('2026-01-02T03:04:05Z'),
};
const caller = { accountId: '000000000000', userName: 'ada' };

describe('the event of a request', () => {
  it('is what an HTTP API sends (payload format 2.0)', () => {
    expect(eventFor(request, match, caller)).toMatchObject({
      version: '2.0',
      routeKey: 'GET /jobs/{role}',
      rawPath: '/jobs/www',
      rawQueryString: 'limit=5&tag=a&tag=b&q=1%2B1',
      queryStringParameters: { limit: '5', tag: 'a,b', q: '1+1' },
      pathParameters: { role: 'www' },
      cookies: ['a=1', 'b=2'],
      headers: { host: '127.0.0.1:8081', 'x-many': 'one' },
      isBase64Encoded: false,
      requestContext: {
        http: { method: 'GET', path: '/jobs/www', sourceIp: '127.0.0.1', userAgent: 'test' },
        authorizer: { iam: { userArn: 'arn:aws:iam::000000000000:user/ada' } },
        timeEpoch: Date.UTC(2026, 0, 2, 3, 4, 5),
      },
    });
  });

  it('has no body, query or parameters when there are none', () => {
    const event = eventFor({ ...request, url: '/jobs' }, { ...match, pathParameters: {} }, caller);
    expect(Object.keys(event)).not.toEqual(expect.arrayContaining(['body']));
    expect(event).not.toHaveProperty('queryStringParameters');
    expect(event).not.toHaveProperty('pathParameters');
  });

  it.each([
    ['application/json', 'text', '{"ä":1}', false],
    ['application/problem+json; charset=utf-8', 'text', '{"ä":1}', false],
    [undefined, 'text', '{"ä":1}', false],
    ['application/octet-stream', 'binary', Buffer.from('{"ä":1}').toString('base64'), true],
  ])('a body of type %s is sent as %s', (contentType, _, body, isBase64Encoded) => {
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    const event = eventFor({ ...request, headers, body: Buffer.from('{"ä":1}') }, match, caller);
    expect(event).toMatchObject({ body, isBase64Encoded });
  });
});

describe('the answer to a result', () => {
  it.each<[string, unknown, unknown]>([
    [
      'a full answer',
      { statusCode: 201, headers: { 'X-A': 1 }, body: 'b', cookies: ['c=1'] },
      { status: 201, headers: { 'x-a': '1' }, body: 'b', cookies: ['c=1'] },
    ],
    ['an answer without body', { statusCode: 204 }, { status: 204, body: '' }],
    [
      'a binary body',
      { statusCode: 200, body: 'AAE=', isBase64Encoded: true },
      { body: Buffer.from([0, 1]) },
    ],
    [
      'a bare object',
      { ok: true },
      { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' },
    ],
    ['a bare text', 'hello', { status: 200, body: 'hello' }],
  ])('%s', (_, result, answer) => {
    expect(answerFor(result)).toMatchObject(answer as object);
  });

  it.each([undefined, { statusCode: 'ok' }, { statusCode: 99 }, { statusCode: 600 }])(
    '%j is no answer',
    (result) => {
      expect(answerFor(result)).toBeUndefined();
    },
  );
});
