// The proxy that lets a store fail: what its caller sees of each kind of fault, and what the engine has done.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EngineClient, EngineError, engineClient } from '../../../local/engines/aws-json.ts';
import { type FaultyStore, startFaultyStore } from '../../../local/host/faulty-store.ts';

let engine: Server;
let taken: unknown[];
let store: FaultyStore;
let client: EngineClient;

beforeEach(async () => {
  taken = [];
  engine = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      taken.push(JSON.parse(text));
      response.writeHead(200, { 'x-amz-crc32': '7' }).end(JSON.stringify({ Item: text }));
    });
  }).listen(0, '127.0.0.1');
  await once(engine, 'listening');
  store = await startFaultyStore(`http://127.0.0.1:${(engine.address() as AddressInfo).port}`, 5);
  client = engineClient(store.endpoint, 'DynamoDB_20120810');
});
afterEach(async () => {
  client.close();
  await store.stop();
  engine.closeAllConnections();
  engine.close();
});

const put = (n: number) => client.call('PutItem', { n });

describe('a store that may fail', () => {
  it('passes everything on while nothing is asked of it', async () => {
    expect(await put(1)).toEqual({ Item: '{"n":1}' });
    expect(taken).toEqual([{ n: 1 }]);
    expect(store.counts()).toEqual({ throttled: 0, lost: 0, slow: 0 });
  });

  it('refuses before, loses the answer after, or answers late; by seed, until it is told to stop', async () => {
    const run = async () => {
      taken = [];
      store.setFaults({ seed: 3, oneIn: 1 });
      const answers: string[] = [];
      for (let n = 0; n < 12; n++) {
        const before = taken.length;
        const answer = await put(n).then(
          () => 'answered',
          (error: Error) => (error instanceof EngineError ? error.name : 'no answer'),
        );
        answers.push(`${answer}, ${taken.length > before ? 'done' : 'not done'}`);
      }
      store.setFaults(undefined);
      return answers;
    };
    const answers = await run();
    expect(new Set(answers)).toEqual(
      new Set(['ThrottlingException, not done', 'no answer, done', 'answered, done']),
    );
    expect(Object.values(store.counts()).every((count) => count > 0)).toBe(true);
    expect(await run()).toEqual(answers);
    expect(await put(99)).toEqual({ Item: '{"n":99}' });
  });

  it('ends the connection while the engine is away', async () => {
    engine.closeAllConnections();
    engine.close();
    await expect(put(1)).rejects.not.toBeInstanceOf(EngineError);
  });
});
