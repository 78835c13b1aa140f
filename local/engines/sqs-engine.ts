// Starts and ends the SQS engine of the embedded stack (a worker thread, local/engines/sqs-worker.ts).
import { Worker } from 'node:worker_threads';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { SqsWorkerData, SqsWorkerMessage } from './sqs-worker.ts';

export interface SqsEngineOptions {
  /** @default any free one */
  readonly port?: number;
  /** Keeps queues and messages across restarts; absent = in memory. */
  readonly dataDir?: string;
  /** @default us-east-1 */
  readonly region?: string;
}

export interface SqsEngine {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly port: number;
  /** Resolves when the engine has ended, asked for or not. */
  readonly exited: Promise<void>;
  /** Ends it; open long polls are answered first. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends it in the middle of whatever it does: no answer to anybody, nothing closed. For tests of faults. */
  kill(): Promise<void>;
}

const stopTimeoutMs = 5_000;

/** Starts an SQS engine on 127.0.0.1. CONFLICT if the port is taken, UNAVAILABLE if it does not start. */
export async function startSqsEngine(options: SqsEngineOptions = {}): Promise<SqsEngine> {
  const data: SqsWorkerData = {
    port: options.port ?? 0,
    region: options.region ?? 'us-east-1',
    ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
  };
  const worker = new Worker(new URL('./sqs-worker.ts', import.meta.url), {
    workerData: data,
    name: 'borealis-sqs',
    // The package warns about node:sqlite on older Node versions; nobody needs to read that.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdout: true,
  });
  worker.stdout.resume();
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const first = await new Promise<SqsWorkerMessage>((resolve) => {
    worker.once('message', (message: SqsWorkerMessage) => resolve(message));
    worker.once('error', (error) => resolve({ kind: 'failed', message: error.message }));
  });
  if (first.kind === 'failed') {
    await worker.terminate();
    throw startFailure(data.port, first);
  }
  // After the start an error ends the thread; `exited` tells whoever supervises it.
  worker.on('error', () => undefined);
  worker.unref();
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    worker.postMessage('stop');
    const timer = setTimeout(() => void worker.terminate(), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  return {
    endpoint: `http://127.0.0.1:${first.port}`,
    port: first.port,
    exited,
    stop: () => (stopping ??= stop()),
    async kill() {
      await worker.terminate();
    },
  };
}

function startFailure(port: number, failure: { code?: string; message: string }): BorealisError {
  if (failure.code === 'EADDRINUSE') {
    return new BorealisError(
      'CONFLICT',
      `port ${port} on 127.0.0.1 is in use; the SQS engine was not started`,
      {
        details: { port },
      },
    );
  }
  return new BorealisError('UNAVAILABLE', `the SQS engine did not start: ${failure.message}`);
}
