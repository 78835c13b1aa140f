// A worker thread as a small service: started with data, answers requests in order, says when it ends. The embedded
// stack runs its host and its synthesis in threads, so that their modules, environment and memory end with them.
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { BorealisError, type ErrorCode, isBorealisError } from '../shared/lib/errors.ts';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

interface WireError {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly stack?: string;
}

type Reply =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'log'; readonly line: string };

export interface Thread {
  /** Calls a method of the thread. Throws what it throws; UNAVAILABLE if the thread is gone. */
  call<T>(method: string, argument?: unknown): Promise<T>;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  terminate(): Promise<void>;
}

export interface ThreadOptions {
  readonly name: string;
  readonly file: URL;
  readonly data?: unknown;
  /** The thread's whole environment. @default this process's */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets what the thread logs and prints, line by line. */
  readonly log: (line: string) => void;
}

/** Starts a thread that ran `serveThread`. */
export function startThread(options: ThreadOptions): Thread {
  const worker = new Worker(options.file, {
    name: options.name,
    workerData: options.data,
    stdout: true,
    stderr: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    ...(options.env && { env: { ...options.env } }),
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let ended: Error | undefined;
  let failure: Error | undefined;
  worker.on('message', (reply: Reply) => {
    if (reply.kind === 'log') return options.log(reply.line);
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.kind === 'result') caller?.resolve(reply.value);
    else caller?.reject(fromWire(reply.error));
  });
  worker.on('error', (error) => {
    failure = error;
    options.log(`${options.name} failed: ${error.stack ?? error.message}`);
  });
  for (const output of [worker.stdout, worker.stderr]) splitLines(output, options.log);
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      ended = new BorealisError(
        'UNAVAILABLE',
        `${options.name} has ended${failure ? `: ${failure.message}` : ''}`,
        {
          cause: failure,
        },
      );
      for (const { reject } of waiting.values()) reject(ended);
      waiting.clear();
      resolve();
    });
  });
  return {
    exited,
    call: <T>(method: string, argument?: unknown) =>
      new Promise<T>((resolve, reject) => {
        if (ended) return reject(ended);
        const id = ++lastId;
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        worker.postMessage({ id, method, argument } satisfies Request);
      }),
    async terminate() {
      await worker.terminate();
    },
  };
}

/** Methods of a thread, by name. */
export type ThreadMethods = Readonly<Record<string, (argument: never) => unknown>>;

/** In the thread: what it was started with, and how to log to whoever started it. */
export function threadContext<Data>(): { readonly data: Data; readonly log: (line: string) => void } {
  return {
    data: workerData as Data,
    log: (line) => parentPort?.postMessage({ kind: 'log', line } satisfies Reply),
  };
}

/** In the thread: answers calls until `exit` is called, which every thread has. */
export function serveThread(methods: ThreadMethods): void {
  const port = parentPort;
  if (!port) throw new BorealisError('INTERNAL', 'serveThread works in a worker thread only');
  port.on('message', ({ id, method, argument }: Request) => {
    const run = async (): Promise<unknown> => {
      if (method === 'exit') return setImmediate(() => process.exit(0)) && undefined;
      const found = methods[method];
      if (!found) throw new BorealisError('INTERNAL', `the thread has no method ${method}`);
      return found(argument as never);
    };
    run().then(
      (value) => port.postMessage({ kind: 'result', id, value } satisfies Reply),
      (error: unknown) => port.postMessage({ kind: 'error', id, error: toWire(error) } satisfies Reply),
    );
  });
}

function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack } = error;
  return {
    message,
    ...(stack !== undefined && { stack }),
    ...(isBorealisError(error) && { code: error.code }),
  };
}

function fromWire(wire: WireError): Error {
  return new BorealisError(wire.code ?? 'INTERNAL', wire.message, { cause: wire.stack });
}

function splitLines(output: NodeJS.ReadableStream, log: (line: string) => void): void {
  let rest = '';
  output.setEncoding('utf8');
  output.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) log(line);
  });
}
