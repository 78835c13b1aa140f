// SDK failures as BorealisErrors: the right code, a short message, a short cause.
import { describe, expect, it } from 'vitest';
import { BorealisError, type ErrorCode } from '../../../shared/lib/errors.ts';
import { storeError } from '../../../shared/store/errors.ts';

function failure(name: string, extra: object = {}): Error {
  return Object.assign(new Error(`${name} happened`), { name, ...extra });
}

const cases: readonly (readonly [string, Error, ErrorCode])[] = [
  ['throttling', failure('ThrottlingException'), 'THROTTLED'],
  ['a partition at its limit', failure('ProvisionedThroughputExceededException'), 'THROTTLED'],
  ['a row held by a transaction', failure('TransactionConflictException'), 'THROTTLED'],
  ['a refused connection', failure('Error', { code: 'ECONNREFUSED' }), 'UNAVAILABLE'],
  [
    'a refused connection to both addresses of localhost',
    Object.assign(new AggregateError([failure('Error', { code: 'ECONNREFUSED' })]), { code: undefined }),
    'UNAVAILABLE',
  ],
  ['a broken connection', failure('Error', { code: 'ECONNRESET' }), 'UNAVAILABLE'],
  ['a timeout', failure('TimeoutError'), 'UNAVAILABLE'],
  ['a fault of the service', failure('Strange', { $metadata: { httpStatusCode: 503 } }), 'UNAVAILABLE'],
  [
    'a request we got wrong',
    failure('ValidationException', { $metadata: { httpStatusCode: 400 } }),
    'INTERNAL',
  ],
];

describe('a store failure', () => {
  it.each(cases)('by %s has its code', (_name, error, code) => {
    const mapped = storeError('assign', error);
    expect(mapped).toMatchObject({ code, details: { operation: 'assign', sdkError: error.name } });
    expect(mapped.message).toContain('assign');
  });

  it('stays short whatever the SDK dumps, and keeps what a person needs', () => {
    const dump = failure('TransactionCanceledException', {
      message: 'Item: {...}\n'.repeat(500),
      CancellationReasons: Array.from({ length: 100 }, () => ({
        Code: 'None',
        Item: { a: { S: 'x'.repeat(999) } },
      })),
      $metadata: { requestId: 'REQ1', httpStatusCode: 400 },
    });
    const mapped = storeError('assign', dump);
    expect(mapped.message.length).toBeLessThan(500);
    expect(mapped.details.requestId).toBe('REQ1');
    expect(JSON.stringify(mapped.cause, Object.getOwnPropertyNames(mapped.cause)).length).toBeLessThan(5_000);
  });

  it('that is a BorealisError already passes through', () => {
    const error = new BorealisError('INVALID_REQUEST', 'too large');
    expect(storeError('createJob', error)).toBe(error);
  });
});
