// Repeats a write that another transaction is in the way of. Whether the other one changed anything shows at the next
// try, as an ordinary failed condition.
import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { storeError } from '../errors.ts';
import { backOff, maxTries } from '../flow.ts';

/** Failed conditions pass through for the caller to read; after the last try THROTTLED. */
export async function whileBusy<T>(operation: string, write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (attempt >= maxTries) throw busy(operation);
      await backOff(attempt);
    }
  }
}

/** True if nothing but other transactions (or throttling) stood in the way. */
function isBusy(error: unknown): boolean {
  if (error instanceof TransactionConflictException) return true;
  if (!(error instanceof TransactionCanceledException)) return false;
  const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None');
  return codes.includes('TransactionConflict') && !codes.includes('ConditionalCheckFailed');
}

function busy(operation: string): Error {
  const cause = new Error(`another transaction held the rows at ${maxTries} tries`);
  cause.name = 'TransactionConflict';
  return storeError(operation, cause);
}

/** The reasons of a cancelled transaction in the order of its items; anything else is thrown as a BorealisError. */
export function cancellationReasons(operation: string, error: unknown) {
  if (!(error instanceof TransactionCanceledException)) throw storeError(operation, error);
  const reasons = error.CancellationReasons ?? [];
  const codes = reasons.map(({ Code }) => Code ?? 'None');
  if (codes.includes('ConditionalCheckFailed') || codes.includes('TransactionConflict')) return reasons;
  // No condition and no conflict: throttling, or an item too large.
  const code = codes.find((one) => one !== 'None') ?? error.name;
  const index = codes.indexOf(code);
  const cause = new Error(`${code} at item ${index}: ${reasons[index]?.Message ?? error.message}`);
  cause.name = code;
  throw storeError(operation, cause);
}
