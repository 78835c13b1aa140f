// The typed client of the HTTP API: one function over the route table (routes.ts), so a route added there is callable
// here. Failures arrive as BorealisError with the server's own code, detail and request id. What may be repeated
// without harm is repeated: reads, and writes that carry an idempotency key.
import * as z from 'zod';
import { unlessAborted } from '../lib/deadline.ts';
import { BorealisError, type ErrorCode, errorCodes } from '../lib/errors.ts';
import {
  type RouteBody,
  type RouteName,
  type RouteParams,
  type RouteQuery,
  type RouteResponse,
  routes,
} from './routes.ts';
import { problemSchema } from './views.ts';

export interface ApiClientOptions {
  /** Where the API is, without a trailing slash: `http://127.0.0.1:8081`. */
  readonly baseUrl: string;
  /** Longest wait for one answer, milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** Further tries of a request that may be repeated. Default 3, over about 1.5 seconds. */
  readonly retries?: number;
  /** Called for every try anew; one that signs is in signing.ts. */
  readonly fetch?: typeof globalThis.fetch;
  /** Told of every try, for `--verbose`. */
  readonly trace?: (line: string) => void;
  /** All pauses together for an API that says it takes no more at this moment, milliseconds. Default 60,000. */
  readonly patienceMs?: number;
  /** Told when the API takes no more at this moment and a further try follows later. */
  readonly say?: (line: string) => void;
  /** Pause before a further try; replaced in tests. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** 0 to 1, spreads the tries of many clients; replaced in tests. */
  readonly random?: () => number;
}

/** A longer hint is not one to be waited for. */
const maxRetryAfterSecs = 3_600;

type Given<T> = keyof T extends never ? undefined : T;
/** What a call of one route takes: its path parameters, query and body, and how to treat repeats. */
interface CallInput<N extends RouteName> {
  readonly params?: Given<RouteParams<N>>;
  readonly query?: RouteQuery<N>;
  readonly body?: RouteBody<N>;
  /** Sent as Idempotency-Key; makes a write safe to repeat after a broken connection. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface ApiClient {
  readonly baseUrl: string;
  /** Calls one route. Throws BorealisError: the server's code, UNAVAILABLE (not reached) or TIMEOUT (no answer). */
  call<N extends RouteName>(name: N, input?: CallInput<N>): Promise<RouteResponse<N>>;
}

interface Attempt {
  readonly name: RouteName;
  readonly url: string;
  readonly method: string;
  readonly body: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A client of the API at `options.baseUrl`. Makes no request by itself. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  return {
    baseUrl,
    async call(name, input = {}) {
      const route = routes[name];
      const url = baseUrl + fillPath(route.path, input.params ?? {}) + queryString(input.query ?? {});
      const body = input.body === undefined ? undefined : JSON.stringify(input.body);
      const { idempotencyKey, signal } = input;
      const answer = await sendWithRetries(
        { name, url, method: route.method, body, idempotencyKey, signal },
        options,
      );
      return parseAnswer(name, url, answer);
    },
  };
}

async function sendWithRetries(attempt: Attempt, options: ApiClientOptions): Promise<string> {
  const repeatable = attempt.method === 'GET' || attempt.idempotencyKey !== undefined;
  const retries = repeatable ? (options.retries ?? 3) : 0;
  const patience = { leftMs: options.patienceMs ?? 60_000, tries: 0 };
  let failures = 0;
  const pauseAfter = (error: BorealisError): number | undefined => {
    if (isNotTaken(error)) return pauseOfRefusal(error, patience, options);
    return error.retryable && failures < retries ? 200 * 2 ** failures++ : undefined;
  };
  for (;;) {
    try {
      return await send(attempt, options);
    } catch (error) {
      if (!(error instanceof BorealisError) || attempt.signal?.aborted) throw error;
      const pauseMs = pauseAfter(error);
      if (pauseMs === undefined) throw error;
      options.trace?.(`${attempt.method} ${attempt.url}: ${error.message}; trying again in ${pauseMs} ms`);
      await (options.sleep ?? defaultSleep)(pauseMs, attempt.signal);
      if (attempt.signal?.aborted) throw error;
    }
  }
}

/** Refused before anything was done, by the gateway or for the backlog: repeating is safe whatever the request is. */
function isNotTaken(error: BorealisError): boolean {
  return error.code === 'BACKLOG_FULL' || (error.code === 'THROTTLED' && error.details.from === 'gateway');
}

/**
 * As long as the API says, or 1, 2, 4 ... s if it does not, and up to half as long again so that those who were refused
 * together do not come back together. Undefined if patience does not last.
 */
function pauseOfRefusal(
  error: BorealisError,
  patience: { leftMs: number; tries: number },
  { random = Math.random, say }: ApiClientOptions,
): number | undefined {
  const hintMs = Math.max(
    Number(error.retryAfterSecs ?? 1) * 1000,
    Math.min(16_000, 1000 * 2 ** patience.tries++),
  );
  const pauseMs = Math.round(hintMs * (1 + random() / 2));
  if (pauseMs > patience.leftMs) return undefined;
  patience.leftMs -= pauseMs;
  say?.(
    `the control plane takes no more at this moment (${error.code}); trying again in ${Math.ceil(pauseMs / 1000)} s`,
  );
  return pauseMs;
}

async function send(attempt: Attempt, options: ApiClientOptions): Promise<string> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = attempt.signal ? AbortSignal.any([attempt.signal, timeout]) : timeout;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (attempt.body !== undefined) headers['content-type'] = 'application/json';
  if (attempt.idempotencyKey !== undefined) headers['idempotency-key'] = attempt.idempotencyKey;
  const startedAt = performance.now();
  try {
    const init: RequestInit = { method: attempt.method, headers, signal };
    if (attempt.body !== undefined) init.body = attempt.body;
    // A fetch that signs asks for credentials first, and what gives those may never answer.
    const ask = async () => {
      const response = await (options.fetch ?? globalThis.fetch)(new Request(attempt.url, init));
      return { response, text: await response.text() };
    };
    const { response, text } = await unlessAborted(signal, ask);
    options.trace?.(
      `${attempt.method} ${attempt.url}: ${response.status} in ${Math.round(performance.now() - startedAt)} ms`,
    );
    if (response.ok) return text;
    throw problemOf(response, text, attempt);
  } catch (error) {
    if (error instanceof BorealisError) throw error;
    if (attempt.signal?.aborted) throw error;
    throw transportError(error, attempt, timeout.aborted ? timeoutMs : undefined);
  }
}

/** The server's problem document as an error; an answer that isn't one (a proxy's page) by its status. */
function problemOf(response: Response, text: string, attempt: Attempt): BorealisError {
  const requestId = response.headers.get('x-request-id') ?? response.headers.get('apigw-requestid');
  const parsed = problemSchema.safeParse(tryJson(text));
  if (parsed.success && Object.hasOwn(errorCodes, parsed.data.code)) {
    const { code, detail, details, retryAfterSecs } = parsed.data;
    return new BorealisError(code as ErrorCode, detail, {
      details: {
        ...details,
        ...(retryAfterSecs !== undefined && { retryAfterSecs }),
        requestId: parsed.data.requestId,
        status: response.status,
      },
    });
  }
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const details = {
    status: response.status,
    ...(requestId === null ? {} : { requestId }),
    ...(response.status === 429 && { from: 'gateway' }),
    ...(retryAfter >= 0 && retryAfter <= maxRetryAfterSecs && { retryAfterSecs: Math.ceil(retryAfter) }),
  };
  const what = `${attempt.method} ${attempt.url} was answered ${response.status} ${response.statusText}`;
  const shown = parsed.success ? `: ${parsed.data.detail}` : '';
  return new BorealisError(codeOfStatus(response.status), `${what}${shown}`, { details });
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'FORBIDDEN';
  if (status === 404) return 'NOT_FOUND';
  if (status === 413) return 'BODY_TOO_LARGE';
  if (status === 429) return 'THROTTLED';
  if (status === 502 || status === 503) return 'UNAVAILABLE';
  if (status === 504) return 'TIMEOUT';
  return status < 500 ? 'INVALID_REQUEST' : 'INTERNAL';
}

function transportError(
  error: unknown,
  attempt: Attempt,
  timedOutAfterMs: number | undefined,
): BorealisError {
  const origin = new URL(attempt.url).origin;
  const effect =
    attempt.method === 'GET'
      ? 'nothing was changed'
      : 'whether the change was accepted is not known: look with `borealis job status` before repeating it';
  if (timedOutAfterMs !== undefined) {
    return new BorealisError(
      'TIMEOUT',
      `no answer from ${origin} within ${timedOutAfterMs / 1000} s; ${effect}`,
      {
        cause: error,
      },
    );
  }
  return new BorealisError(
    'UNAVAILABLE',
    `cannot reach the API at ${origin} (${reasonOf(error)}); ${effect}. Is it running (\`borealis local up\`), and is the address right (--api, BOREALIS_API)?`,
    { cause: error },
  );
}

/** fetch says "fetch failed" and keeps the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error instanceof Error ? error.message : String(error);
}

function parseAnswer<N extends RouteName>(name: N, url: string, text: string): RouteResponse<N> {
  const parsed = routes[name].response.safeParse(tryJson(text));
  if (parsed.success) return parsed.data as RouteResponse<N>;
  throw new BorealisError(
    'INTERNAL',
    `the answer of ${url} is not what this version understands (${z.prettifyError(parsed.error).split('\n')[0]}); is it a Borealis API of the same version? See \`borealis version\``,
    { cause: parsed.error },
  );
}

function fillPath(path: string, params: object): string {
  const values = params as Readonly<Record<string, string>>;
  return path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) throw new BorealisError('INVALID_REQUEST', `${path} needs ${name}`);
    return encodeURIComponent(value);
  });
}

function queryString(query: object): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return '';
  const parameters = new URLSearchParams(
    entries.map(([name, value]): [string, string] => [name, String(value)]),
  );
  return `?${parameters.toString()}`;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Ends early when the caller gives up. */
function defaultSleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
