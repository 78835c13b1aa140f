// The chain of the HTTP API: size limit, JSON body, and every failure turned into one problem document (RFC 9457).
import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { maxBodyBytes } from '../../shared/api/routes.ts';
import type { Problem } from '../../shared/api/views.ts';
import { BorealisError, type ErrorCode, isBorealisError } from '../../shared/lib/errors.ts';
import type { Log } from '../ports.ts';
import { inRequest, type RequestFields } from '../request-scope.ts';

export type HttpEvent = APIGatewayProxyEventV2;
export type HttpResult = APIGatewayProxyStructuredResultV2;

const securityHeaders = {
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=63072000',
  'x-content-type-options': 'nosniff',
};

/** Wraps a router: what it returns is sent as JSON, what it throws as a problem document. Nothing else leaves. */
export function httpChain(log: Log, router: (event: HttpEvent, context: Context) => Promise<HttpResult>) {
  const chain = problemChain(log, router);
  return (event: HttpEvent, context: Context): Promise<HttpResult> =>
    inRequest(fieldsOf(event, context), () => chain(event, context));
}

function problemChain(log: Log, router: (event: HttpEvent, context: Context) => Promise<HttpResult>) {
  return middy<HttpEvent, HttpResult>()
    .use({
      after: ({ response }) => {
        if (response) response.headers = { ...securityHeaders, ...response.headers };
      },
      onError: (request) => {
        request.response = problemResponse(request.error, requestIdOf(request.event, request.context), log);
      },
    })
    .use({ before: ({ event }) => refuseLargeBody(event) })
    .use({
      before: (request) => {
        const { event } = request;
        // An absent body stays absent; the route's schema says whether one is needed.
        if (event.requestContext.http.method === 'GET' || !event.body) {
          delete event.body;
          return;
        }
        try {
          // The parser only reads event and writes event.body.
          parseJson(request as Parameters<typeof parseJson>[0]);
        } catch (error) {
          throw new BorealisError(
            'MALFORMED_BODY',
            'the request body is not valid JSON; nothing was changed. Send one JSON document.',
            { cause: error },
          );
        }
      },
    })
    .handler(router);
}

const parseJson = httpJsonBodyParser({ disableContentTypeCheck: true }).before as (request: {
  event: HttpEvent;
}) => void;

/** A successful answer. */
export function jsonResponse(status: number, body: unknown): HttpResult {
  return {
    statusCode: status,
    headers: { ...securityHeaders, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}

/** What every log line of a request says: its id, its route, and the job, task or agent its path names. */
function fieldsOf(event: HttpEvent, context: Context): RequestFields {
  const { role, environment, name, taskId, agentId } = event.pathParameters ?? {};
  return {
    requestId: requestIdOf(event, context),
    ...(event.routeKey && { route: event.routeKey }),
    ...(role && environment && name && { job: `${role}/${environment}/${name}` }),
    ...(taskId && { taskId }),
    ...(agentId && { agentId }),
  };
}

/** The id a person can quote and find in the log. */
function requestIdOf(event: HttpEvent, context: Context): string {
  return event.requestContext?.requestId ?? context.awsRequestId ?? 'unknown';
}

function refuseLargeBody(event: HttpEvent): void {
  if (!event.body) return;
  const bytes = event.isBase64Encoded
    ? Math.floor((event.body.length * 3) / 4)
    : Buffer.byteLength(event.body);
  if (bytes <= maxBodyBytes) return;
  throw new BorealisError(
    'BODY_TOO_LARGE',
    `the request body has ${bytes} bytes, at most ${maxBodyBytes} are taken; nothing was changed. Split the request, or let tasks fetch large scripts themselves.`,
    { details: { bytes, maxBytes: maxBodyBytes } },
  );
}

function problemResponse(thrown: unknown, requestId: string, log: Log): HttpResult {
  const error = asBorealisError(thrown);
  if (error.status >= 500) log.error('request failed', { code: error.code, error: thrown });
  const problem: Problem = {
    type: `urn:borealis:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: titleOf(error.code),
    status: error.status,
    code: error.code,
    detail: error.message,
    requestId,
    ...(error.retryAfterSecs !== undefined && { retryAfterSecs: error.retryAfterSecs }),
    ...(Object.keys(error.details).length > 0 && { details: { ...error.details } }),
  };
  return {
    statusCode: error.status,
    headers: {
      ...securityHeaders,
      'content-type': 'application/problem+json',
      ...(error.retryAfterSecs !== undefined && { 'retry-after': String(error.retryAfterSecs) }),
    },
    body: JSON.stringify(problem),
  };
}

/** The store and the domain throw BorealisErrors; anything else is our own fault and its text is for the log only. */
function asBorealisError(thrown: unknown): BorealisError {
  if (isBorealisError(thrown)) return thrown;
  return new BorealisError(
    'INTERNAL',
    'something went wrong inside; try again, and if it stays, look for the request id in the log of the api function',
    { cause: thrown },
  );
}

function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
