// The verifier on the signatures AWS publishes: its SigV4 test suite and the worked example of its documentation.
import { describe, expect, it } from 'vitest';
import { type Expected, type ReceivedRequest, whyRefused } from './sigv4-verifier.ts';

const keys = { AKIDEXAMPLE: { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' } };
const now = Date.UTC(2015, 7, 30, 12, 36);

interface Vector extends Partial<ReceivedRequest> {
  readonly name: string;
  readonly service?: string;
  readonly signed: string;
  readonly signature: string;
}

const vectors: readonly Vector[] = [
  {
    name: 'get-vanilla',
    signed: 'host;x-amz-date',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'get-vanilla-query-order-key-case',
    target: '/?Param2=value2&Param1=value1',
    signed: 'host;x-amz-date',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'post-vanilla',
    method: 'POST',
    signed: 'host;x-amz-date',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    name: 'post-x-www-form-urlencoded',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'Param1=value1',
    signed: 'content-type;host;x-amz-date',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
  {
    name: 'ListUsers of the IAM documentation',
    service: 'iam',
    target: '/?Action=ListUsers&Version=2010-05-08',
    headers: {
      host: 'iam.amazonaws.com',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    },
    signed: 'content-type;host;x-amz-date',
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  },
];

function received({ method, target, headers, body, service, signed, signature }: Vector): ReceivedRequest {
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${service ?? 'service'}/aws4_request, SignedHeaders=${signed}, Signature=${signature}`;
  return {
    method: method ?? 'GET',
    target: target ?? '/',
    headers: { host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z', ...headers, authorization },
    body: body ?? '',
  };
}

const expectedFor = (vector: Vector): Expected => ({
  service: vector.service ?? 'service',
  region: 'us-east-1',
  keys,
  now,
});

describe('the verifier', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('takes %s', (_name, vector) => {
    expect(whyRefused(received(vector), expectedFor(vector))).toBeUndefined();
  });

  it.each([
    ['another method', { method: 'PUT' }, {}],
    ['another path', { target: '/x' }, {}],
    ['another query', { target: '/?a=b' }, {}],
    ['another body', { body: 'x' }, {}],
    ['another time', {}, { now: now + 301_000 }],
    ['another region', {}, { region: 'eu-west-1' }],
    ['another secret', {}, { keys: { AKIDEXAMPLE: { secret: 'x' } } }],
    ['a key that needs a token', {}, { keys: { AKIDEXAMPLE: { ...keys.AKIDEXAMPLE, token: 't' } } }],
    [
      'an unsigned header',
      { headers: { host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z', 'x-amz-more': '1' } },
      {},
    ],
  ] as const)('refuses %s', (_what, change, expectation) => {
    const vector = vectors[0] as Vector;
    const good = received(vector);
    const headers = { ...good.headers, ...('headers' in change ? change.headers : {}) };
    expect(
      whyRefused({ ...good, ...change, headers }, { ...expectedFor(vector), ...expectation }),
    ).toBeDefined();
  });
});
