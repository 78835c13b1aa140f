// The HTTP API of the embedded stack: routes of the template on a loopback port. Answers of its own (no such route, body
// too large, function failed) are worded like API Gateway's.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { userInfo } from 'node:os';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { RoutePlan } from '../template/plan.ts';
import { answerFor, eventFor, type HttpAnswer, type LocalCaller } from './http-event.ts';
import type { Invoker } from './invoker.ts';
import { routerFor } from './routes.ts';
import { createThrottle } from './throttle.ts';

export interface HttpServerOptions {
  /** 0 = any free one. */
  readonly port: number;
  readonly routes: readonly RoutePlan[];
  readonly invoker: Pick<Invoker, 'invoke'>;
  readonly accountId: string;
  /** Pages of the host itself, by path under /_local/. */
  readonly pages: Readonly<Record<string, () => unknown>>;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no more requests and resolves when those under way are answered. */
  stop(): Promise<void>;
}

/** A function's event is at most 6 MB. */
const maxEventBytes = 6 * 1024 * 1024;

/** Starts to listen on 127.0.0.1. CONFLICT naming the port if it is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const answer = answerer(options);
  const server = createServer((request, response) => {
    answer(request)
      .catch(() => message(500, 'Internal Server Error'))
      .then((result) => send(response, result))
      .catch(() => response.destroy());
  });
  server.keepAliveTimeout = 65_000;
  const port = await listen(server, options.port);
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new BorealisError(
              'CONFLICT',
              `port ${port} on 127.0.0.1 is in use; the HTTP API was not started. Stop what uses it or choose another with --port.`,
              { details: { port } },
            )
          : error,
      );
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function answerer(options: HttpServerOptions): (request: IncomingMessage) => Promise<HttpAnswer> {
  const router = routerFor(options.routes);
  const throttle = createThrottle(() => performance.now());
  const caller: LocalCaller = { accountId: options.accountId, userName: localUser() };
  return async (incoming) => {
    const url = incoming.url ?? '/';
    const path = url.split('?', 1)[0] ?? '/';
    if (path.startsWith('/_local/')) return page(options.pages, path);
    const match = router(incoming.method ?? 'GET', path);
    if (match === undefined) return message(404, 'Not Found');
    if (match === 'badPath') return message(400, 'Bad Request');
    if (!throttle(match.route)) {
      incoming.resume();
      return message(429, 'Too Many Requests');
    }
    const body = await readBody(incoming);
    if (body === undefined) return message(413, 'Request Entity Too Large', { connection: 'close' });
    const event = eventFor(
      {
        method: incoming.method ?? 'GET',
        url,
        headers: incoming.headers,
        body,
        sourceIp: incoming.socket.remoteAddress ?? '127.0.0.1',
        receivedAt: new Date(),
      },
      match,
      caller,
    );
    return invoke(options.invoker, match.route.functionArn, event);
  };
}

async function invoke(
  invoker: Pick<Invoker, 'invoke'>,
  functionArn: string,
  event: unknown,
): Promise<HttpAnswer> {
  try {
    return answerFor(await invoker.invoke(functionArn, event)) ?? message(500, 'Internal Server Error');
  } catch (error) {
    const timedOut = error instanceof BorealisError && error.code === 'TIMEOUT';
    return timedOut ? message(503, 'Service Unavailable') : message(500, 'Internal Server Error');
  }
}

async function page(pages: HttpServerOptions['pages'], path: string): Promise<HttpAnswer> {
  const make = pages[path.slice('/_local/'.length)];
  if (!make) return message(404, 'Not Found');
  const body = JSON.stringify(await make());
  return { status: 200, headers: { 'content-type': 'application/json' }, cookies: [], body };
}

function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the password file, as in many containers.
    return 'local';
  }
}

function message(status: number, text: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    cookies: [],
    body: JSON.stringify({ message: text }),
  };
}

/** Undefined if the body is larger than an event may be; the rest of it is not read. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxEventBytes) {
    request.resume();
    return undefined;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxEventBytes) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  const length = Buffer.byteLength(answer.body);
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(answer.cookies.length > 0 && { 'set-cookie': [...answer.cookies] }),
    'content-length': length,
  });
  response.end(answer.body);
}
