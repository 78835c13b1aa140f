// One error class for the whole product. A stable `code` is what programs branch on; the message is for a person and
// says what failed, what is unchanged and what to do next. One table maps each code to an HTTP status and a CLI exit
// code, so the same failure looks the same everywhere.

/** code -> HTTP status of the problem response, exit code of the CLI (spec/client-and-ui.md section 2), retry hint. */
export const errorCodes = {
  INVALID_REQUEST: { status: 400, exitCode: 6, retryable: false },
  INVALID_CONFIG: { status: 400, exitCode: 3, retryable: false },
  MALFORMED_BODY: { status: 400, exitCode: 6, retryable: false },
  FORBIDDEN: { status: 403, exitCode: 30, retryable: false },
  NOT_FOUND: { status: 404, exitCode: 6, retryable: false },
  ROUTE_NOT_FOUND: { status: 404, exitCode: 6, retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, exitCode: 6, retryable: false },
  CONFLICT: { status: 409, exitCode: 4, retryable: false },
  JOB_EXISTS: { status: 409, exitCode: 4, retryable: false },
  TOKEN_REUSED: { status: 409, exitCode: 6, retryable: false },
  BODY_TOO_LARGE: { status: 413, exitCode: 6, retryable: false },
  THROTTLED: { status: 429, exitCode: 10, retryable: true },
  BACKLOG_FULL: { status: 429, exitCode: 10, retryable: true },
  INTERNAL: { status: 500, exitCode: 20, retryable: true },
  UNAVAILABLE: { status: 503, exitCode: 7, retryable: true },
  TIMEOUT: { status: 504, exitCode: 9, retryable: true },
  COMMAND_FAILED: { status: 500, exitCode: 4, retryable: false },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Any failure that a person or a calling program should understand. */
export class BorealisError extends Error {
  override readonly name = 'BorealisError';
  readonly code: ErrorCode;
  /** Structured facts a caller may need (paths, limits, ids). Never secrets. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return errorCodes[this.code].status;
  }

  get exitCode(): number {
    return errorCodes[this.code].exitCode;
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }

  /** After how many seconds a further try has a chance; undefined if none has. */
  get retryAfterSecs(): number | undefined {
    if (!this.retryable) return undefined;
    const { retryAfterSecs } = this.details;
    return typeof retryAfterSecs === 'number' ? retryAfterSecs : 1;
  }
}

/** True for a BorealisError, optionally of one code. */
export function isBorealisError(error: unknown, code?: ErrorCode): error is BorealisError {
  return error instanceof BorealisError && (code === undefined || error.code === code);
}
