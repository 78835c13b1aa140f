// A store that fails as DynamoDB can, for tests of what heals: a proxy between the functions and the engine that refuses
// requests as throttled, loses answers to what was carried out, and keeps answers back. Without faults it only passes on.
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Odds, type Striker, strikerOf } from './striker.ts';

const storeFaultKinds = ['throttled', 'lost', 'slow'] as const;
type StoreFaultKind = (typeof storeFaultKinds)[number];

/** How often each kind struck so far. */
export type StoreFaultCounts = Readonly<Record<StoreFaultKind, number>>;

export interface FaultyStore {
  /** What the functions take for the store. */
  readonly endpoint: string;
  /** From now on; undefined = no more faults. */
  setFaults(odds: Odds | undefined): void;
  counts(): StoreFaultCounts;
  stop(): Promise<void>;
}

const throttled = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ThrottlingException',
  message: 'a test made the store throttle this request',
});

/** Starts the proxy on a free port of 127.0.0.1. A slow answer takes `slowMs` longer. */
export async function startFaultyStore(engine: string, slowMs = 1500): Promise<FaultyStore> {
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const counts: Record<StoreFaultKind, number> = { throttled: 0, lost: 0, slow: 0 };
  let strike: Striker<StoreFaultKind> | undefined;
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(incoming);
    const kind = strike?.(storeFaultKinds);
    if (kind !== undefined) counts[kind]++;
    if (kind === 'throttled') {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(throttled);
      return;
    }
    const { status, headers, text } = await pass(engine, agent, incoming, body);
    if (kind === 'lost') return void response.destroy();
    if (kind === 'slow') await sleep(slowMs);
    response.writeHead(status, headers).end(text);
  };
  const server = createServer((incoming, response) => {
    // The engine is away: whoever asked sees a connection that ends.
    answer(incoming, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFaults(odds) {
      strike = odds && strikerOf(odds);
    },
    counts: () => ({ ...counts }),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Passed {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: Buffer;
}

async function pass(engine: string, agent: Agent, incoming: IncomingMessage, body: Buffer): Promise<Passed> {
  const { method = 'POST', url = '/', headers } = incoming;
  const outgoing = request(new URL(url, engine), { agent, method, headers });
  // Whoever waits for the answer hears of a failure; one after that is nobody's.
  outgoing.on('error', () => undefined);
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const text = await bodyOf(answer);
  // The length is known now, however the engine sent it.
  const { 'transfer-encoding': _, connection: _own, ...kept } = answer.headers;
  return {
    status: answer.statusCode ?? 500,
    headers: { ...kept, 'content-length': String(text.length) },
    text,
  };
}
