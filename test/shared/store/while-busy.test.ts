// Writes that other transactions are in the way of: repeated, bounded, and told apart from failed conditions. The
// embedded engine runs one transaction at a time, so only DynamoDB itself ever answers like this.
import {
  type CancellationReason,
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { maxTries } from '../../../shared/store/flow.ts';
import { cancellationReasons, whileBusy } from '../../../shared/store/tx/while-busy.ts';

const rest = { $metadata: {}, message: 'no' };
const conflict = () => new TransactionConflictException(rest);
const cancelled = (...codes: string[]) =>
  new TransactionCanceledException({
    ...rest,
    CancellationReasons: codes.map((Code): CancellationReason => ({ Code })),
  });

/** Throws these in turn, then answers; counts the calls. */
function flaky(...errors: Error[]): { calls: number; write: () => Promise<string> } {
  const state = {
    calls: 0,
    write: () => {
      const error = errors[state.calls++];
      return error ? Promise.reject(error) : Promise.resolve('done');
    },
  };
  return state;
}

describe('whileBusy', () => {
  it.each([
    ['one row', conflict],
    ['a transaction', () => cancelled('None', 'TransactionConflict')],
  ])('repeats a write of %s that is in the way of another', async (_what, error) => {
    const twice = flaky(error(), error());
    expect(await whileBusy('assign', twice.write)).toBe('done');
    expect(twice.calls).toBe(3);
  });

  it('gives up as THROTTLED after a bounded number of tries', async () => {
    const always = flaky(...Array.from({ length: 50 }, conflict));
    await expect(whileBusy('assign', always.write)).rejects.toMatchObject({
      code: 'THROTTLED',
      retryable: true,
    });
    expect(always.calls).toBe(maxTries);
  });

  it.each([
    ['a failed condition', new ConditionalCheckFailedException(rest)],
    ['a failed condition next to a conflict', cancelled('ConditionalCheckFailed', 'TransactionConflict')],
    ['anything else', new Error('boom')],
  ])('passes on %s at once', async (_what, error) => {
    const once = flaky(error);
    await expect(whileBusy('assign', once.write)).rejects.toBe(error);
    expect(once.calls).toBe(1);
  });
});

describe('cancellationReasons', () => {
  it('gives conditions and conflicts by item', () => {
    const codes = ['None', 'ConditionalCheckFailed', 'TransactionConflict'];
    expect(cancellationReasons('assign', cancelled(...codes)).map(({ Code }) => Code)).toEqual(codes);
  });

  it.each([
    [cancelled('None', 'ThrottlingError'), 'THROTTLED', 'item 1'],
    [cancelled('ProvisionedThroughputExceeded'), 'THROTTLED', 'item 0'],
    [cancelled('ValidationError'), 'INTERNAL', 'ValidationError'],
    [Object.assign(new Error('gone'), { code: 'ECONNRESET' }), 'UNAVAILABLE', 'gone'],
  ])('throws what is neither: %o', (error, code, text) => {
    expect(() => cancellationReasons('assign', error)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });
});
