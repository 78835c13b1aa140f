// The engines of one embedded stack, kept alive: one that ends unasked is started again on the same port and data.
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { BorealisError, isBorealisError } from '../../shared/lib/errors.ts';
import { type DynamoEngine, startDynamoEngine } from './dynamo-engine.ts';
import { type SqsEngine, startSqsEngine } from './sqs-engine.ts';

export interface EngineSetOptions {
  /** Keeps everything below this directory; absent = nothing outlives the set. */
  readonly dataDir?: string;
  /** Port of the SQS engine if it is free, so that agents find it again after a restart of the stack. */
  readonly preferredSqsPort?: number;
  readonly region: string;
  readonly log: (line: string) => void;
}

export type EngineName = 'dynamo' | 'sqs';

/** An engine that ends this often within a minute is not started again. */
const maxRestartsPerMinute = 5;

/** DynamoDB and SQS, started together, watched, stopped together. */
export class EngineSet {
  readonly #options: EngineSetOptions;
  #dynamo: DynamoEngine | undefined;
  #sqs: SqsEngine | undefined;
  #dynamoDir: string | undefined;
  #stopped = false;
  #restarts: number[] = [];
  #onRestart: (engine: EngineName) => unknown = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;

  constructor(options: EngineSetOptions) {
    this.#options = options;
  }

  get dynamoEndpoint(): string {
    return this.#dynamo?.endpoint ?? '';
  }

  get sqsEndpoint(): string {
    return this.#sqs?.endpoint ?? '';
  }

  dynamoPid(): number | undefined {
    return this.#dynamo?.pid;
  }

  /** Called after an engine was started again. */
  onRestart(listener: (engine: EngineName) => unknown): void {
    this.#onRestart = listener;
  }

  /** Called when an engine cannot be brought back. */
  onFailure(listener: (error: Error) => void): void {
    this.#onFailure = listener;
  }

  /** Starts both; if one fails the other is stopped again. */
  async start(): Promise<void> {
    const sqs = this.#startSqs(this.#options.preferredSqsPort).catch((error: unknown) => {
      if (!isBorealisError(error, 'CONFLICT')) throw error;
      this.#options.log(`port ${this.#options.preferredSqsPort} is in use; the SQS engine takes a free one`);
      return this.#startSqs();
    });
    const started = await Promise.allSettled([this.#startDynamo(), sqs]);
    const failed = started.find((one) => one.status === 'rejected');
    if (!failed) return;
    await this.stop();
    throw failed.reason;
  }

  /** Ends an engine without warning, as a crash does, and waits until it is back. */
  async restart(engine: EngineName): Promise<void> {
    const pid = this.#dynamo?.pid;
    if (engine === 'dynamo' ? pid === undefined : this.#sqs === undefined) {
      throw new BorealisError(
        'UNAVAILABLE',
        `the ${engine} engine is not running here, so it can't be restarted`,
      );
    }
    const back = this.#back(engine);
    if (engine === 'sqs') await this.#sqs?.kill();
    else if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await back;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#dynamo?.stop(), this.#sqs?.stop()]);
    if (this.#options.dataDir === undefined && this.#dynamoDir !== undefined) {
      rmSync(this.#dynamoDir, { recursive: true, force: true });
    }
  }

  #waitingForBack: { readonly engine: EngineName; readonly resolve: () => void }[] = [];

  #back(engine: EngineName): Promise<void> {
    return new Promise((resolve) => this.#waitingForBack.push({ engine, resolve }));
  }

  async #startDynamo(port?: number): Promise<void> {
    const dataDir = this.#dynamoDir ?? (this.#options.dataDir && join(this.#options.dataDir, 'dynamo'));
    const engine = await startDynamoEngine({
      ...(dataDir !== undefined && { dataDir }),
      ...(port !== undefined && { port }),
    });
    this.#dynamo = engine;
    // A temporary directory is found again after a crash, and removed at the end by stop.
    if (engine.dbFile !== undefined) this.#dynamoDir = dirname(engine.dbFile);
    void engine.exited.then(() => this.#ended('dynamo', engine));
  }

  async #startSqs(port?: number): Promise<void> {
    const engine = await startSqsEngine({
      region: this.#options.region,
      ...(port !== undefined && { port }),
      ...(this.#options.dataDir !== undefined && { dataDir: join(this.#options.dataDir, 'sqs') }),
    });
    this.#sqs = engine;
    void engine.exited.then(() => this.#ended('sqs', engine));
  }

  async #ended(name: EngineName, engine: DynamoEngine | SqsEngine): Promise<void> {
    if (this.#stopped) return;
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < 60_000), now];
    if (this.#restarts.length > maxRestartsPerMinute) {
      this.#onFailure(
        new BorealisError(
          'UNAVAILABLE',
          `the ${name} engine ended ${this.#restarts.length} times within a minute`,
        ),
      );
      return;
    }
    this.#options.log(`the ${name} engine ended; it is started again`);
    const port = Number(new URL(engine.endpoint).port);
    try {
      await portFree(port);
      await (name === 'dynamo' ? this.#startDynamo(port) : this.#startSqs(port));
    } catch (error) {
      this.#onFailure(error as Error);
      return;
    }
    // A stop that came while the engine was starting did not see the new one.
    if (this.#stopped) {
      await this.stop();
      return;
    }
    await this.#onRestart(name);
    this.#waitingForBack = this.#waitingForBack.filter((waiting) => {
      if (waiting.engine !== name) return true;
      waiting.resolve();
      return false;
    });
  }
}

const portWaitMs = 3_000;

/** Waits until the port of a process that has just ended can be listened on again. */
async function portFree(port: number): Promise<void> {
  const until = performance.now() + portWaitMs;
  while (performance.now() < until) {
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
