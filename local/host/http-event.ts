// Translates between Node's HTTP and the events of an HTTP API (payload format 2.0). Pure.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { APIGatewayProxyEventV2WithIAMAuthorizer } from 'aws-lambda';
import type { RouteMatch } from './routes.ts';

export interface HttpRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly receivedAt: Date;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: string | Buffer;
}

/** Who calls, on a machine where nobody signs in: the name the operating system knows. */
export interface LocalCaller {
  readonly accountId: string;
  readonly userName: string;
}

/** The event a function gets for a request. */
export function eventFor(
  request: HttpRequest,
  match: RouteMatch,
  caller: LocalCaller,
): APIGatewayProxyEventV2WithIAMAuthorizer {
  const [rawPath, rawQueryString = ''] = splitOnce(request.url, '?');
  const headers = joinedHeaders(request.headers);
  const cookies = headers.cookie?.split(/; */);
  delete headers.cookie;
  const text = isText(request.headers['content-type']);
  const query = queryParameters(rawQueryString);
  return {
    version: '2.0',
    routeKey: match.route.routeKey,
    rawPath,
    rawQueryString,
    headers,
    ...(cookies && { cookies }),
    ...(query && { queryStringParameters: query }),
    ...(Object.keys(match.pathParameters).length > 0 && { pathParameters: { ...match.pathParameters } }),
    requestContext: {
      accountId: caller.accountId,
      apiId: 'local',
      authorizer: { iam: iamIdentity(caller) },
      domainName: headers.host ?? '127.0.0.1',
      domainPrefix: 'local',
      http: {
        method: request.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey: match.route.routeKey,
      stage: '$default',
      time: request.receivedAt.toISOString(),
      timeEpoch: request.receivedAt.getTime(),
    },
    ...(request.body.length > 0 && { body: request.body.toString(text ? 'utf8' : 'base64') }),
    isBase64Encoded: request.body.length > 0 && !text,
  };
}

type IamIdentity = APIGatewayProxyEventV2WithIAMAuthorizer['requestContext']['authorizer']['iam'];

function iamIdentity({ accountId, userName }: LocalCaller): IamIdentity {
  return {
    accessKey: 'local',
    accountId,
    callerId: userName,
    // Null in AWS for a caller outside Cognito and organisations; the types know only the other case.
    cognitoIdentity: null as unknown as IamIdentity['cognitoIdentity'],
    principalOrgId: null as unknown as string,
    userArn: `arn:aws:iam::${accountId}:user/${userName}`,
    userId: userName,
  };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function joinedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return joined;
}

/** A repeated parameter's values are joined by commas, as API Gateway does. */
function queryParameters(raw: string): Record<string, string> | undefined {
  if (raw === '') return undefined;
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(raw)) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(values);
}

function isText(contentType: string | undefined): boolean {
  return (
    contentType === undefined || /^text\/|json|xml|javascript|x-www-form-urlencoded|yaml/.test(contentType)
  );
}

/** What goes back over the wire for what a function returned; undefined if that is no answer at all. */
export function answerFor(result: unknown): HttpAnswer | undefined {
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    if (result === undefined) return undefined;
    // A result without statusCode is itself the body.
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      cookies: [],
      body: typeof result === 'string' ? result : JSON.stringify(result),
    };
  }
  const answer = result as {
    statusCode: unknown;
    headers?: Readonly<Record<string, string | number | boolean>>;
    cookies?: readonly string[];
    body?: string;
    isBase64Encoded?: boolean;
  };
  const status = Number(answer.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  const body = answer.body ?? '';
  return {
    status,
    headers: Object.fromEntries(
      Object.entries(answer.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
    ),
    cookies: answer.cookies ?? [],
    body: answer.isBase64Encoded === true ? Buffer.from(body, 'base64') : body,
  };
}
