// Runs fauxqs, the SQS engine, in a worker thread: its own event loop, gone with the process whatever ends that.
// fauxqs listens on all interfaces when it starts itself, so its parts are put together here: loopback only, no request
// log, queue addresses of this start also for the queues kept from an earlier one.
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { forClient, improveWaiting, type WaitingQueue } from './sqs-waiting.ts';

/** What the thread is started with. */
export interface SqsWorkerData {
  /** 0 = any free one. */
  readonly port: number;
  /** Keeps queues and messages in this directory. */
  readonly dataDir?: string;
  readonly region: string;
}

/** What the thread says: listening, or why not. */
export type SqsWorkerMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code?: string; readonly message: string };

/** The parts of fauxqs 2.4.1 (pinned) that its package does not export by name. */
interface Queue {
  name: string;
  url: string;
  persistence?: unknown;
}
interface Store {
  queues: Map<string, Queue>;
  host: string;
  region: string;
  persistence?: unknown;
  allQueues(): Iterable<Queue>;
}
interface Persistence {
  readonly db: { exec(sql: string): void; prepare(sql: string): { run(...values: string[]): unknown } };
  updateMessageReady(messageId: string): void;
  loadSqsAndSns(sqs: Store, sns: unknown): void;
  close(): void;
}
interface App {
  listen(options: { port: number; host: string }): Promise<string>;
  close(): Promise<void>;
  addHook(name: 'preClose', hook: () => void): void;
  addHook(
    name: 'onRequest',
    hook: (request: { readonly raw: { readonly socket: Socket } }, reply: unknown, done: () => void) => void,
  ): void;
}

async function part<T>(file: string): Promise<T> {
  return (await import(new URL(file, import.meta.resolve('fauxqs')).href)) as T;
}

async function start(data: SqsWorkerData): Promise<{ port: number; app: App }> {
  const { buildApp } = (await import('fauxqs')) as unknown as { buildApp: (options: object) => App };
  const { SqsStore, SqsQueue } = await part<{
    SqsStore: new () => Store;
    SqsQueue: { prototype: WaitingQueue };
  }>('./sqs/sqsStore.js');
  improveWaiting(SqsQueue.prototype);
  const { SnsStore } = await part<{ SnsStore: new () => unknown }>('./sns/snsStore.js');
  const sqsStore = new SqsStore();
  const snsStore = new SnsStore();
  const persistence = data.dataDir === undefined ? undefined : await load(data.dataDir, sqsStore, snsStore);
  const app = buildApp({ logger: false, defaultRegion: data.region, stores: { sqsStore, snsStore } });
  app.addHook('onRequest', (request, _reply, done) => forClient(request.raw.socket, done));
  if (persistence) app.addHook('preClose', () => persistence.close());
  // Queue URLs are made from the request's Host header, not from a name that needs DNS.
  sqsStore.host = '';
  const address = await app.listen({ port: data.port, host: '127.0.0.1' });
  const port = Number(new URL(address).port);
  readdress(sqsStore, port);
  return { port, app };
}

async function load(dataDir: string, sqsStore: Store, snsStore: unknown): Promise<Persistence> {
  mkdirSync(dataDir, { recursive: true });
  const { PersistenceManager } = await part<{ PersistenceManager: new (dir: string) => Persistence }>(
    './persistence.js',
  );
  const persistence = new PersistenceManager(dataDir);
  // A crash of the machine may cost the last moment's messages, which are hints; a crash of this process costs none.
  persistence.db.exec('PRAGMA synchronous = NORMAL');
  // Whoever held a message before the restart is gone: it is visible again at once instead of after its timeout.
  persistence.db.exec('UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL');
  // Its own statement empties a column that must not be empty: whoever gave a message back at once lost it, and locked its
  // group for good.
  const ready = persistence.db.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  );
  persistence.updateMessageReady = (messageId) => void ready.run(messageId);
  persistence.loadSqsAndSns(sqsStore, snsStore);
  sqsStore.persistence = persistence;
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence;
  return persistence;
}

function readdress(store: Store, port: number): void {
  const queues = [...store.queues.values()];
  store.queues.clear();
  for (const queue of queues) {
    const url = new URL(queue.url);
    queue.url = `http://127.0.0.1:${port}${url.pathname}`;
    store.queues.set(queue.url, queue);
  }
}

function say(message: SqsWorkerMessage): void {
  parentPort?.postMessage(message);
}

try {
  const { port, app } = await start(workerData as SqsWorkerData);
  // Any message means stop.
  parentPort?.once('message', () => {
    void app.close().finally(() => process.exit(0));
  });
  say({ kind: 'listening', port });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  say({ kind: 'failed', message, ...(code !== undefined && { code }) });
}
