// Hostile requests to every route: none is answered by a 5xx, none that is refused stores anything, and every refusal is a
// problem document. Some go through the HTTP server of the embedded stack, with what only a raw request can say.
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpEvent } from '../../functions/middleware/http.ts';
import { type HttpServer, startHttpServer } from '../../local/host/http-server.ts';
import { routes } from '../../shared/api/routes.ts';
import { problemSchema } from '../../shared/api/views.ts';
import { randomOf } from './hostile.ts';
import { createInstallation, type Installation } from './installation.ts';
import { eventOf, type HostileRequest, hostileRequest } from './requests.ts';
import { firstSeed, forEachSeed, runs, timeoutMs } from './settings.ts';

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

function checkRefusal(status: number, body: string | undefined): string {
  if (status >= 500) throw new Error(`answered ${status}: ${body?.slice(0, 400)}; ${lastError()}`);
  const problem = problemSchema.parse(JSON.parse(body ?? ''));
  if (problem.status !== status) throw new Error(`status ${status}, but the problem says ${problem.status}`);
  const writes = target.takeWrites();
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
      const code = checkRefusal(statusCode, body);
      refused.push(event);
      return code;
    });
    const refusals = [...outcomes].filter(([name]) => !name.startsWith('done'));
    if (runs >= 400) expect(refusals.length).toBeGreaterThan(3);
    // Once more, with the rows of the table as the judge.
    const before = await target.world.dump();
    let accepted = 0;
    for (const event of refused.slice(0, 2_000)) {
      const { statusCode = 0 } = await target.serve(structuredClone(event));
      if (statusCode < 400) accepted += 1;
    }
    if (accepted === 0) expect(await target.world.dump()).toEqual(before);
    else expect(accepted).toBeLessThan(refused.length / 20);
  });
});

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

  const send = (request: HostileRequest): Promise<{ status: number; body: string }> =>
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
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(request.body);
    });

  it('answers each by itself', { timeout: timeoutMs }, async () => {
    await forEachSeed('HTTP', async (seed) => {
      const request = hostileRequest(randomOf(seed + 1_000_000_007), target);
      let answer: { status: number; body: string };
      try {
        answer = await send(request);
      } catch (error) {
        // What Node's client itself refuses to send, or a connection the server's parser closed.
        return `not sent ${(error as NodeJS.ErrnoException).code ?? ''}`;
      }
      if (answer.status >= 500)
        throw new Error(`answered ${answer.status}: ${answer.body.slice(0, 400)}; ${lastError()}`);
      target.takeWrites();
      return String(answer.status);
    });
    expect(
      (
        await send({
          method: 'GET',
          path: '/version',
          query: undefined,
          headers: {},
          body: undefined,
          isBase64Encoded: false,
        })
      ).status,
    ).toBe(200);
    expect(firstSeed).toBeGreaterThanOrEqual(0);
  });
});
