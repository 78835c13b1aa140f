// Idempotency: the client's token of a write, so that a repeated request answers as the first time.
import { BorealisError } from '../../shared/lib/errors.ts';
import { contentId } from '../../shared/lib/hash.ts';
import type { ClientToken } from '../../shared/store/port.ts';

const maxTokenLength = 128;

/** From the Idempotency-Key header; undefined without one. INVALID_REQUEST if it is empty, too long or no Unicode text. */
export function clientToken(
  headers: Readonly<Record<string, string | undefined>>,
  request: unknown,
): ClientToken | undefined {
  const value = headers['idempotency-key'];
  if (value === undefined) return undefined;
  if (value === '' || value.length > maxTokenLength || !value.isWellFormed()) {
    throw new BorealisError(
      'INVALID_REQUEST',
      `the Idempotency-Key header must have 1 to ${maxTokenLength} characters of Unicode; nothing was stored`,
    );
  }
  return { value, requestHash: contentId(request) };
}

/** The same token came with another request. */
export function tokenReused(): BorealisError {
  return new BorealisError(
    'TOKEN_REUSED',
    'this Idempotency-Key was used for another request; nothing was changed. Use a new key for a new request.',
  );
}
