// An HTTP server that checks SigV4 as API Gateway does, and refuses as it does: 403 {"message":"Forbidden"} with no reason.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type ReceivedRequest, whyRefused } from './sigv4-verifier.ts';

export const testKey = { accessKeyId: 'AKIATESTKEY', secretAccessKey: 'secret/of+the=test' };

export interface VerifyingApi {
  readonly url: string;
  /** Every request with the reason it was refused for, if it was. */
  readonly seen: { readonly request: ReceivedRequest; readonly refused?: string }[];
}

export interface VerifyingApiOptions {
  readonly region?: string;
  /** The service's time, epoch ms. */
  readonly clock?: () => number;
  /** Answers a request whose signature holds; `times` counts those. */
  readonly answer: (
    request: ReceivedRequest,
    times: number,
  ) => { readonly status: number; readonly body: unknown; readonly type?: string };
  readonly tokens?: Readonly<Record<string, string>>;
}

/** Runs until the test ends. */
export async function startVerifyingApi(options: VerifyingApiOptions): Promise<VerifyingApi> {
  const { region = 'eu-west-1', clock = Date.now } = options;
  const seen: VerifyingApi['seen'] = [];
  let taken = 0;
  const server = createServer((incoming, response) => void serve(incoming, response));
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await received(incoming);
    const token = options.tokens?.[testKey.accessKeyId];
    const key = { secret: testKey.secretAccessKey, ...(token !== undefined && { token }) };
    const refused = whyRefused(request, {
      service: 'execute-api',
      region,
      keys: { [testKey.accessKeyId]: key },
      now: clock(),
    });
    seen.push({ request, ...(refused !== undefined && { refused }) });
    if (refused === undefined) taken += 1;
    const answer =
      refused === undefined
        ? options.answer(request, taken)
        : { status: 403, body: { message: 'Forbidden' } };
    response.writeHead(answer.status, {
      'content-type': answer.type ?? 'application/json',
      date: new Date(clock()).toUTCString(),
    });
    response.end(JSON.stringify(answer.body));
  };
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function received(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    headers: incoming.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}
