// What an SDK failure means to the rest of the program: slow (THROTTLED), gone (UNAVAILABLE) or our own fault (INTERNAL).
// SDK errors can be hundreds of lines (a cancelled transaction repeats every item); only a short cause is kept.
import { BorealisError, type ErrorCode, isBorealisError } from '../lib/errors.ts';

const throttled = new Set([
  'ThrottlingException',
  'ThrottlingError',
  'ProvisionedThroughputExceededException',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
  'TransactionInProgressException',
  'TransactionConflictException',
  'TransactionConflict',
]);
const unavailable = new Set([
  'InternalServerError',
  'InternalServerException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'TimeoutError',
  'RequestTimeout',
  'AbortError',
  'NetworkingError',
]);
const unavailableSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
]);

const maxMessage = 300;

function clip(text: string): string {
  return text.length > maxMessage ? `${text.slice(0, maxMessage)}...` : text;
}

interface SdkFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly attempts?: number;
  };
}

/** The BorealisError for a failed request; `operation` names it for people. A BorealisError passes through. */
export function storeError(operation: string, error: unknown): BorealisError {
  if (isBorealisError(error)) return error;
  const failure = (error instanceof Error ? error : new Error(String(error))) as SdkFailure & Error;
  const code = codeOf(failure);
  const said = clip(failure.message || systemCode(failure) || failure.name);
  return new BorealisError(code, `the store ${sentence(code, operation)}: ${said}`, {
    details: {
      operation,
      sdkError: failure.name,
      ...(failure.$metadata?.requestId !== undefined && { requestId: failure.$metadata.requestId }),
    },
    cause: shortCause(failure),
  });
}

function sentence(code: ErrorCode, operation: string): string {
  if (code === 'THROTTLED') {
    return `is busy (${operation}); nothing of this request is half-done, try again in a moment`;
  }
  if (code === 'UNAVAILABLE') {
    return `could not be reached (${operation}); the write may or may not have happened, repeating it is safe`;
  }
  return `refused ${operation}; nothing was changed`;
}

function codeOf(failure: SdkFailure): ErrorCode {
  if (throttled.has(failure.name)) return 'THROTTLED';
  const status = failure.$metadata?.httpStatusCode ?? 0;
  if (unavailable.has(failure.name) || status >= 500) return 'UNAVAILABLE';
  if (unavailableSystemCodes.has(systemCode(failure))) return 'UNAVAILABLE';
  return 'INTERNAL';
}

/** Node hides the reason of a failed connect to several addresses in an AggregateError. */
function systemCode(failure: SdkFailure): string {
  if (typeof failure.code === 'string') return failure.code;
  const inner = (failure as { errors?: readonly { code?: unknown }[] }).errors?.[0]?.code;
  return typeof inner === 'string' ? inner : '';
}

function shortCause(failure: SdkFailure & Error): Error {
  const cause = new Error(clip(failure.message));
  cause.name = failure.name;
  if (failure.stack !== undefined) cause.stack = failure.stack.slice(0, 2_000);
  return cause;
}
