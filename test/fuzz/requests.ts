// Hostile requests to the HTTP API: a good request of any route with one to three things about it made bad.

import type { HttpEvent } from '../../functions/middleware/http.ts';
import { type RouteName, routes } from '../../shared/api/routes.ts';
import { encodeCursor } from '../../shared/store/read/cursor.ts';
import { makeConfig } from '../contract/fixtures.ts';
import { submission } from '../functions/support/world.ts';
import {
  below,
  corrupt,
  hostileText,
  hostileValue,
  type Json,
  mutate,
  pick,
  type Random,
} from './hostile.ts';
import type { Installation } from './installation.ts';

export interface HostileRequest {
  readonly method: string;
  /** As sent, percent sequences and all. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly isBase64Encoded: boolean;
}

type Editable = { -readonly [K in keyof HostileRequest]: HostileRequest[K] };

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'get', 'G\0T'];

/** Routes that take much are tried more often. */
const weighted: readonly RouteName[] = [
  ...(Object.keys(routes) as RouteName[]),
  ...Array.from({ length: 10 }, (): RouteName => 'createJob'),
  ...Array.from({ length: 5 }, (): RouteName => 'startUpdate'),
  ...Array.from({ length: 5 }, (): RouteName => 'planUpdate'),
];

export function hostileRequest(random: Random, target: Installation): HostileRequest {
  const name = pick(random, weighted);
  const route = routes[name];
  const params: Record<string, string> = {
    ...pick(random, target.jobs),
    taskId: pick(random, target.taskIds),
    agentId: pick(random, target.agentIds),
    updateId: pick(random, [...target.updateIds, 'active', 'latest']),
  } as unknown as Record<string, string>;
  if (name === 'createJob' && random() < 0.7) params.name = `new-${below(random, 1e9)}`;
  let body = goodBody(name, params, random);
  if (body !== undefined) for (let left = below(random, 4); left > 0; left--) body = mutate(random, body);
  const request: Editable = {
    method: route.method,
    path: route.path.replaceAll(/\{(\w+)\}/g, (_all, param: string) => pathPart(random, params[param] ?? '')),
    query: route.method === 'GET' || random() < 0.05 ? goodQuery(random) : undefined,
    headers: {
      'content-type': 'application/json',
      ...(random() < 0.3 && { 'idempotency-key': idempotencyKey(random) }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    isBase64Encoded: false,
  };
  spoil(random, request);
  return request;
}

/** The event the gateway makes of it. */
export function eventOf({ method, path, query, headers, body, isBase64Encoded }: HostileRequest): HttpEvent {
  return {
    version: '2.0',
    rawPath: path,
    rawQueryString: '',
    headers,
    ...(query && { queryStringParameters: query }),
    ...(body !== undefined && { body }),
    isBase64Encoded,
    requestContext: {
      requestId: 'request-1',
      http: { method, path },
      authorizer: { iam: { userArn: 'arn:aws:iam::1:user/mallory', userId: 'AIDAMALLORY' } },
    },
  } as unknown as HttpEvent;
}

/** The request as bytes on a connection, half of them with something about the framing that is wrong. */
export function hostileBytes(random: Random, { method, path, headers, body = '' }: HostileRequest): Buffer {
  const mostly = (good: string, bad: readonly string[]) => (random() < 0.85 ? good : pick(random, bad));
  const size = Buffer.byteLength(body);
  const chunked = `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const length = mostly(`content-length: ${size}`, [
    `content-length: ${below(random, 2_000_000)}`,
    'content-length: -1',
    `content-length: 3\r\ncontent-length: ${size}`,
    'content-length: 3\r\ntransfer-encoding: chunked',
    'transfer-encoding: chunked, identity',
    'transfer-encoding: chunked',
    'expect: 100-continue',
    'upgrade: websocket\r\nconnection: upgrade',
    '',
  ]);
  const isChunked = length.endsWith('chunked');
  const content = mostly(isChunked ? chunked : body, [chunked, `ffffffffffffffff\r\n${body}`, '']);
  const lines = [
    `${method} ${encodeURI(path.toWellFormed())} ${mostly('HTTP/1.1', ['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''])}`,
    mostly('host: x', ['host:', 'host: a\r\nhost: b', '']),
    'connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    length,
  ];
  const end = mostly('\r\n', ['\n']);
  let text = `${lines.filter((line) => line !== '').join(end)}${end}${end}${content}`;
  if (random() < 0.2) text = corrupt(random, text);
  if (random() < 0.05) text += text;
  return Buffer.from(text, random() < 0.8 ? 'utf8' : 'latin1');
}

function pathPart(random: Random, good: string): string {
  if (random() < 0.85) return encodeURIComponent(good);
  const bad = hostileText(random);
  if (random() < 0.5) return bad.replaceAll('/', '%2F');
  return Array.from(new TextEncoder().encode(bad), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(
    '',
  );
}

function idempotencyKey(random: Random): string {
  return random() < 0.5 ? `key-${below(random, 50)}` : hostileText(random);
}

function goodQuery(random: Random): Record<string, string> | undefined {
  if (random() < 0.5) return undefined;
  const query: Record<string, string> = {};
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const name = pick(random, [
      'limit',
      'cursor',
      'history',
      'agents',
      'pool',
      'status',
      'user',
      'session',
      'after',
      hostileText(random),
    ]);
    query[name] = pick(random, [
      '5',
      'true',
      cursor(random),
      hostileText(random),
      JSON.stringify(hostileValue(random)).slice(0, 5000),
    ]);
  }
  return query;
}

/** Looks like one that a listing gave out. */
function cursor(random: Random): string {
  const part = () =>
    pick(random, ['JOB#prod/job-1', 'web', 'ROLE#web', 'A#agent-a', '3', hostileText(random)]);
  if (random() < 0.6) return encodeCursor(Array.from({ length: 1 + below(random, 3) }, part));
  const json = mutate(random, {
    after: { state: 'RUNNING', at: 1, instance: 3, generation: 1, taskId: part() },
    counts: { active: 1, history: 2 },
    active: 3,
  });
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}

function goodBody(
  name: RouteName,
  params: Readonly<Record<string, string>>,
  random: Random,
): Json | undefined {
  const { role = '', environment = '', name: job = '' } = params;
  const configs = submission({}, { priority: below(random, 9) }).configs;
  const rich = richConfig();
  const update = {
    change: pick(random, [
      { kind: 'replace', configs },
      { kind: 'restart' },
      { kind: 'add', count: 2 },
      { kind: 'remove', instances: [[2, 2]] },
    ]),
    ...(random() < 0.5 && { only: [[0, 1]] }),
    settings: { strategy: { kind: 'queue', groupSize: 2 }, maxFailedInstances: 1 },
  };
  const message = pick(random, ['because', hostileText(random).slice(0, 1024)]);
  const someInstances = { instances: [[0, 1]], message };
  const bodies: Partial<Record<RouteName, object>> = {
    createJob: {
      role,
      environment,
      name: job,
      configs: random() < 0.5 ? configs : [{ instances: [[0, 1]], task: rich }],
    },
    planUpdate: update,
    startUpdate: { ...update, message, metadata: { ticket: hostileText(random).slice(0, 256) } },
    killJob: someInstances,
    restartJob: someInstances,
    addInstances: { count: 1, template: 0 },
    drainAgent: {
      deadlineSecs: 60,
      percentage: 90,
      settledSecs: 5,
      reason: hostileText(random).slice(0, 256),
    },
    rebindAgent: { principal: 'AROAEXAMPLE:i-1' },
    abortUpdate: { instances: 'hold', message: 'no' },
  };
  if (routes[name].method === 'GET') return undefined;
  return JSON.parse(JSON.stringify(bodies[name] ?? { message })) as Json;
}

/** A config in which every optional part is there. */
function richConfig(): object {
  return makeConfig({
    contact: 'ops@example.org',
    metadata: { team: 'web' },
    constraints: [
      { kind: 'value', attribute: 'rack', negated: false, values: ['r1', 'r2'] },
      { kind: 'limit', attribute: 'host', limit: 2 },
    ],
    healthCheck: {
      http: { port: 'http', endpoint: '/health', expectedResponse: 'ok', expectedResponseCode: 0 },
      initialIntervalSecs: 5,
      intervalSecs: 5,
      maxConsecutiveFailures: 0,
      minConsecutiveSuccesses: 1,
      timeoutSecs: 1,
    },
    partitionPolicy: { reschedule: true, delaySecs: 5 },
  });
}

function spoil(random: Random, request: Editable): void {
  const text = request.body ?? '';
  switch (below(random, 14)) {
    case 0:
      request.body = corrupt(random, text);
      return;
    case 1:
      request.method = pick(random, methods);
      return;
    case 2:
      request.path = corrupt(random, request.path);
      return;
    case 3:
      request.body = Buffer.from(text).toString('base64');
      request.isBase64Encoded = true;
      return;
    case 4:
      request.isBase64Encoded = true;
      return;
    case 5:
      request.headers = {
        ...request.headers,
        'content-type': pick(random, [
          'text/plain',
          'application/json; charset=utf-16',
          '',
          hostileText(random),
        ]),
        'content-encoding': 'gzip',
      };
      return;
    case 6:
      request.body = Buffer.from(text, 'utf16le').toString('latin1');
      return;
    case 7:
      request.body = `\ufeff${text}`;
      return;
    case 8:
      request.body = pick(random, [
        '['.repeat(50_000),
        '{"a":'.repeat(20_000),
        `${'['.repeat(9000)}${']'.repeat(9000)}`,
        `"${'x'.repeat(1_048_577)}"`,
        'null',
        '""',
        '0',
        '[]',
      ]);
      return;
    case 9:
      request.path = `/${hostileText(random)}`;
      return;
    case 10:
      request.query = { ...request.query, [hostileText(random)]: hostileText(random) };
      return;
    default:
      return;
  }
}
