// Hostile requests to every route: none is answered by a 5xx, none that is refused stores anything, and every refusal is a
// problem document. Some go through the HTTP server of the embedded stack, with what only a raw request can say.
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpEvent } from '../../functions/middleware/http.ts';
import { type HttpServer, startHttpServer } from '../../local/host/http-server.ts';
import { routes } from '../../shared/api/routes.ts';
import { problemSchema } from '../../shared/api/views.ts';
import { randomOf } from './hostile.ts';
import { carryOutAll, createInstallation, type Installation } from './installation.ts';
import { eventOf, type HostileRequest, hostileBytes, hostileRequest } from './requests.ts';
import { forEachSeed, runs, timeoutMs } from './settings.ts';

let target: Installation;
beforeAll(async () => {
  target = await createInstallation();
  const quiet = () => undefined;
  const error = (_message: string, fields: Record<string, unknown> = {}) => {
    lastCause = fields.error instanceof Error ? (fields.error.stack ?? '').slice(0, 900) : '';
  };
  target.world.log.forward = { info: quiet, warn: quiet, error };
});
afterAll(() => target.world.stop());

/** The code of the refusal; throws unless it is one that is documented and left no trace. */
function checkProblem(status: number, body: string | undefined, writes: readonly string[]): string {
  if (status >= 500) throw new Error(`answered ${status}: ${body?.slice(0, 400)}; ${lastError()}`);
  const problem = problemSchema.parse(JSON.parse(body ?? ''));
  if (problem.status !== status) throw new Error(`status ${status}, but the problem says ${problem.status}`);
  if (writes.length > 0) throw new Error(`${status} ${problem.code}, but it wrote: ${writes.join(', ')}`);
  return problem.code;
}

let lastCause = '';
const lastError = () => lastCause;

describe('hostile requests', () => {
  it('are refused with a reason and without a trace, or carried out', { timeout: timeoutMs }, async () => {
    const refused: HttpEvent[] = [];
    target.takeWrites();
    const outcomes = await forEachSeed('API', async (seed) => {
      const event = eventOf(hostileRequest(randomOf(seed), target));
      const { statusCode = 0, body } = await target.serve(structuredClone(event));
      if (statusCode < 400) {
        target.takeWrites();
        JSON.parse(body ?? '');
        return `done ${statusCode}`;
      }
      const code = checkProblem(statusCode, body, target.takeWrites());
      refused.push(event);
      return code;
    });
    const refusals = [...outcomes].filter(([name]) => !name.startsWith('done'));
    if (runs >= 400) expect(refusals.length).toBeGreaterThan(3);
    await judgeByRows(refused.slice(0, 2_000));
    await carryOutAll(target);
  });
});

/**
 * Sends refused requests once more, with the rows of the table as the judge. One that is taken this time (what it needs
 * has been made meanwhile) is left out of the next round, until all of a round are refused.
 */
async function judgeByRows(requests: readonly HttpEvent[]): Promise<void> {
  let left = requests;
  for (let round = 0; round < 5; round++) {
    const before = await target.world.dump();
    const refused: HttpEvent[] = [];
    for (const event of left) {
      const { statusCode = 0 } = await target.serve(structuredClone(event));
      if (statusCode >= 400) refused.push(event);
    }
    if (refused.length === left.length) {
      expect(await target.world.dump()).toEqual(before);
      expect(refused.length).toBeGreaterThan(requests.length / 2);
      return;
    }
    left = refused;
  }
  throw new Error('what is refused never stays refused');
}

describe('the HTTP server in front of it', () => {
  let server: HttpServer;
  beforeAll(async () => {
    server = await startHttpServer({
      port: 0,
      routes: [
        ...Object.values(routes).map(({ method, path }) => ({
          routeKey: `${method} ${path}`,
          method,
          path,
          functionArn: 'api',
          authorization: 'NONE',
        })),
        { routeKey: '$default', method: 'ANY', path: '$default', functionArn: 'api', authorization: 'NONE' },
      ],
      invoker: { invoke: (_name, event) => target.serve(event as HttpEvent) },
      accountId: '000000000000',
      pages: {},
    });
  });
  afterAll(() => server.stop());

  const send = (
    request: HostileRequest,
  ): Promise<{ status: number; body: string; type: string | undefined }> =>
    new Promise((resolve, reject) => {
      const query = request.query && `?${new URLSearchParams(request.query).toString()}`;
      const outgoing = httpRequest(
        {
          port: server.port,
          method: request.method,
          path: request.path.replaceAll(/[^\x21-\xff]/g, '+') + (query ?? ''),
          headers: request.headers,
          setHost: true,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => void chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString(),
              type: response.headers['content-type'],
            }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(request.body);
    });

  /** What a client without manners writes into the connection; resolves with what came back before it was closed. */
  const sendBytes = (bytes: Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1');
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
      socket.on('error', (error: NodeJS.ErrnoException) =>
        ['ECONNRESET', 'EPIPE'].includes(error.code ?? '') ? undefined : reject(error),
      );
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
      socket.end(bytes);
    });

  const checkAnswer = (method: string, status: number, body: string, type: string | undefined) => {
    const writes = target.takeWrites();
    if (status < 400) return;
    // What Node's parser refuses never came to the API and has no document.
    if (method !== 'HEAD' && type?.startsWith('application/problem+json')) checkProblem(status, body, writes);
    else if (status >= 500 || writes.length > 0)
      throw new Error(`answered ${status}: ${body.slice(0, 400)}; wrote ${writes.join()}; ${lastError()}`);
  };

  it('answers each by itself', { timeout: timeoutMs }, async () => {
    target.takeWrites();
    await forEachSeed('HTTP', async (seed) => {
      const request = hostileRequest(randomOf(seed + 1_000_000_007), target);
      let answer: { status: number; body: string; type: string | undefined };
      try {
        answer = await send(request);
      } catch (error) {
        const writes = target.takeWrites();
        if (writes.length > 0) throw new Error(`no answer, but it wrote ${writes.join()}`, { cause: error });
        // What Node's client itself refuses to send, or a connection the server's parser closed.
        return `not sent ${(error as NodeJS.ErrnoException).code ?? ''}`;
      }
      checkAnswer(request.method, answer.status, answer.body, answer.type);
      return String(answer.status);
    });
    await stillServes();
  });

  // What was stored is not judged here: one good request and then noise is carried out, and the noise ends the connection.
  it('survives bytes that are no request, or two', { timeout: timeoutMs }, async () => {
    await forEachSeed('bytes', async (seed) => {
      const random = randomOf(seed + 2_000_000_011);
      const said = await sendBytes(hostileBytes(random, hostileRequest(random, target)));
      const statuses = [...said.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      const broken = statuses.find((status) => status >= 500);
      if (broken !== undefined) throw new Error(`answered ${broken}: ${said.slice(0, 600)}; ${lastError()}`);
      return statuses.join(' and ') || 'closed';
    });
    await stillServes();
  });

  const stillServes = async () => {
    const request = { method: 'GET', path: '/version', query: undefined, headers: {}, body: undefined };
    expect((await send({ ...request, isBase64Encoded: false })).status).toBe(200);
  };
});
