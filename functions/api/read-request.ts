// From an HTTP event to a typed request: path, query and body through the schemas of the route. What does not match is
// refused with the place of each mistake, before anything is read or written.
import type * as z from 'zod';
import { type RouteName, routes } from '../../shared/api/routes.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { illFormedAt, illFormedText } from '../../shared/lib/well-formed.ts';
import type { HttpEvent } from '../middleware/http.ts';
import type { ApiRequest } from './context.ts';

const maxIssues = 20;

/** INVALID_REQUEST names every wrong place; INVALID_CONFIG if the mistake is inside a submitted task config. */
export function readRequest<N extends RouteName>(name: N, event: HttpEvent): ApiRequest<N> {
  const route = routes[name];
  const params = checked(route.params, literalParams(event), 'path');
  const query = checked(route.query, event.queryStringParameters ?? {}, 'query');
  const body = route.body === undefined ? undefined : checked(route.body, event.body ?? {}, 'body');
  return {
    params,
    query,
    body,
    headers: event.headers ?? {},
    user: callerOf(event).userArn ?? 'UNSECURE',
    principal: callerOf(event).userId ?? undefined,
  } as ApiRequest<N>;
}

interface Caller {
  readonly userArn?: string | null;
  readonly userId?: string | null;
}

/** Whoever signed the request, as IAM names it; a gateway without authentication knows nobody. */
function callerOf(event: HttpEvent): Caller {
  const context = event.requestContext as unknown as {
    readonly authorizer?: { readonly iam?: Caller | null } | null;
  };
  return context.authorizer?.iam ?? {};
}

/**
 * The parameters as the gateway gives them. INVALID_REQUEST if anything of the path is percent-encoded: no name that the
 * API knows needs it, and what IAM decided on must be, letter by letter, what is acted on. A gateway that compares policies
 * with the path as it was sent would let `/jobs/%77eb/...` pass a Deny on `/jobs/web/...`.
 */
function literalParams({ rawPath, pathParameters, requestContext }: HttpEvent): Record<string, string> {
  const entries = Object.entries(pathParameters ?? {}).map(([name, value = '']) => [name, value] as const);
  const sent = [rawPath, requestContext?.http?.path, ...entries.map(([, value]) => value)];
  if (sent.some((text) => text?.includes('%'))) {
    throw new BorealisError(
      'INVALID_REQUEST',
      'the path is percent-encoded, which no role, environment, name or id needs; nothing was changed. Send it as it is.',
    );
  }
  return Object.fromEntries(entries);
}

/** The value as the schema reads it; INVALID_REQUEST or INVALID_CONFIG as above. */
export function checked(
  schema: z.ZodType,
  value: unknown,
  part: 'path' | 'query' | 'body' | 'command',
): unknown {
  const parsed = schema.safeParse(value);
  const illFormed = parsed.success ? illFormedAt(parsed.data) : undefined;
  if (parsed.success && !illFormed) return parsed.data;
  const issues = illFormed
    ? [{ path: illFormed, message: illFormedText }]
    : (parsed.error?.issues ?? []).flatMap(flatten).slice(0, maxIssues);
  const places = issues.map(({ path, message }) => ({ in: part, at: placeOf(path), message }));
  const inConfig = part === 'body' && issues.every(({ path }) => isInConfig(path));
  const said = places.map(({ at, message }) =>
    at === '' ? `${part}: ${message}` : `${part} ${at}: ${message}`,
  );
  throw new BorealisError(
    inConfig ? 'INVALID_CONFIG' : 'INVALID_REQUEST',
    `${said.join('; ')}. Nothing was changed; correct this and send it again.`,
    { details: { problems: places } },
  );
}

/** Inside `configs[n]` of a submission, or of the change an update is asked for. */
function isInConfig(path: readonly PropertyKey[]): boolean {
  const at = path.indexOf('configs');
  return at !== -1 && at <= 1 && path.length > at + 1;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Takes the branch of a union that came closest, so that the message is about the mistake and not about the union. */
function flatten(issue: z.core.$ZodIssue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
  return closest.flatMap(flatten).map(({ path, message }) => ({ path: [...issue.path, ...path], message }));
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`),
    '',
  );
}
