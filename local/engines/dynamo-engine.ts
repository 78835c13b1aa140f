// Starts the DynamoDB-compatible engine (dynoxide: one binary over SQLite) that the embedded stack and the tests use,
// tunes it, and makes sure that neither the process nor its files outlive the process that started it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { BorealisError } from '../../shared/lib/errors.ts';

export interface DynamoEngineOptions {
  /** Keep the data in this directory across restarts; absent = a temporary directory, removed on stop. */
  readonly dataDir?: string;
  /** Absent = a free one. */
  readonly port?: number;
}

export interface DynamoEngine {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** Absent when DYNAMODB_ENDPOINT stands in for a platform without a binary. */
  readonly pid?: number;
  readonly dbFile?: string;
  /** Resolves when the engine's process has ended, asked for or not. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Ends the process (SIGTERM, after 5 s SIGKILL) and removes temporary files. Safe to call twice. */
  stop(): Promise<void>;
}

const readyTimeoutMs = 15_000;
const stopTimeoutMs = 5_000;
const startAttempts = 5;

/**
 * Starts an engine on 127.0.0.1 and answers when it takes requests. On a platform without a binary the endpoint in
 * DYNAMODB_ENDPOINT is used instead; without that: UNAVAILABLE, saying what to do.
 */
export async function startDynamoEngine(options: DynamoEngineOptions = {}): Promise<DynamoEngine> {
  const binary = findBinary();
  if (binary === undefined) return externalEngine();
  const dir = options.dataDir ?? mkdtempSync(join(temporaryRoot(), 'borealis-dynamo-'));
  mkdirSync(dir, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const started = await launch({ binary, dir, port, temporary: options.dataDir === undefined });
    if (!(started instanceof BorealisError)) return started;
    // A free port can be taken between looking and listening; only then is another try worth it.
    const retry = options.port === undefined && attempt < startAttempts && portTaken(started);
    if (retry) continue;
    if (options.dataDir === undefined) rmSync(dir, { recursive: true, force: true });
    throw started;
  }
}

function portTaken(error: BorealisError): boolean {
  return error.message.includes('already in use');
}

/** The binary is an optional dependency per platform, such as @dynoxide/linux-x64. */
function findBinary(): string | undefined {
  const name = `@dynoxide/${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const binary = join(dirname(manifest), process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

function externalEngine(): DynamoEngine {
  const endpoint = process.env.DYNAMODB_ENDPOINT;
  if (endpoint === undefined || endpoint === '') {
    throw new BorealisError(
      'UNAVAILABLE',
      `no embedded DynamoDB engine for ${process.platform}-${process.arch}: nothing was started. Run npm ci on Linux x64 ` +
        'without --omit=optional, or set DYNAMODB_ENDPOINT to a DynamoDB-compatible endpoint.',
    );
  }
  return { endpoint, exited: new Promise(() => undefined), stop: () => Promise.resolve() };
}

/** Memory-backed where there is one: throw-away data need no disk, and the engine commits every write. */
export function temporaryRoot(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string')
    throw new BorealisError('INTERNAL', 'no free TCP port on 127.0.0.1');
  return address.port;
}

interface Launch {
  readonly binary: string;
  readonly dir: string;
  readonly port: number;
  readonly temporary: boolean;
}

async function launch(input: Launch): Promise<DynamoEngine | BorealisError> {
  const dbFile = join(input.dir, 'dynamo.db');
  // Its own process group (detached): Ctrl-C in a terminal reaches the owner only, which stops the engine last.
  const child = spawn(
    input.binary,
    ['serve', '--host', '127.0.0.1', '--port', String(input.port), '--db-path', dbFile],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  const errors = keepLastLines(child);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const endpoint = `http://127.0.0.1:${input.port}`;
  const failure = await Promise.race([
    waitReady(endpoint, errors),
    exited.then(() => errors() || 'the process ended at once'),
  ]);
  if (failure !== undefined || child.pid === undefined) {
    if (child.pid !== undefined) child.kill('SIGKILL');
    return new BorealisError('UNAVAILABLE', `the DynamoDB engine did not start on ${endpoint}: ${failure}`);
  }
  addStreamIndex(dbFile);
  return running({ child, pid: child.pid, endpoint, dbFile, exited, input });
}

/** Undefined once the engine answers, else why not. */
async function waitReady(endpoint: string, errors: () => string): Promise<string | undefined> {
  const until = performance.now() + readyTimeoutMs;
  while (performance.now() < until) {
    await sleep(10);
    // Its own word first: another server on the same port must not pass for ours.
    if (!errors().includes('listening on')) continue;
    try {
      const response = await fetch(endpoint, { signal: AbortSignal.timeout(1_000) });
      if (response.ok) return undefined;
    } catch {
      // Announced, not yet accepting.
    }
  }
  return `no answer within ${readyTimeoutMs / 1000} s`;
}

/**
 * Every write to a table with a stream asks the engine's store for the highest sequence number, and without this index
 * that reads every stream record: 600 writes/s falling to 60. With it the rate stays at 2,000 and more
 * (docs/adr/0004-embedded-engine.md).
 */
function addStreamIndex(dbFile: string): void {
  const db = new DatabaseSync(dbFile, { timeout: 5_000 });
  try {
    db.exec(
      'CREATE INDEX IF NOT EXISTS borealis_stream_seq ON _stream_records(table_name, CAST(sequence_number AS INTEGER))',
    );
  } finally {
    db.close();
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly endpoint: string;
  readonly dbFile: string;
  readonly exited: DynamoEngine['exited'];
  readonly input: Launch;
}

function running(engine: Running): DynamoEngine {
  const { child, pid, input } = engine;
  const watchdog = startWatchdog(pid, input.temporary ? input.dir : undefined);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    // First, so that it can never act on a process id that has been given to somebody else.
    watchdog?.kill('SIGKILL');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await engine.exited;
    clearTimeout(timer);
    if (input.temporary) rmSync(input.dir, { recursive: true, force: true });
  };
  void engine.exited.then(() => watchdog?.kill('SIGKILL'));
  // The engine alone must not keep its owner alive.
  child.unref();
  return {
    endpoint: engine.endpoint,
    pid,
    dbFile: engine.dbFile,
    exited: engine.exited,
    stop: () => (stopping ??= stop()),
  };
}

/**
 * A shell that waits for the end of its standard input, which comes when the owner ends in whatever way, SIGKILL
 * included; then it ends the engine and removes the temporary directory. Not on Windows, which has no such shell.
 */
function startWatchdog(pid: number, dir: string | undefined): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined;
  const script = 'cat >/dev/null; kill "$1" 2>/dev/null; [ -z "$2" ] || { sleep 1; rm -rf -- "$2"; }';
  const watchdog = spawn('/bin/sh', ['-c', script, 'borealis-watchdog', String(pid), dir ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a watchdog the engine still works; it is only not cleaned up after a SIGKILL.
  watchdog.on('error', () => undefined);
  watchdog.stdin?.on('error', () => undefined);
  watchdog.unref();
  const pipe = watchdog.stdin as { unref?: () => void } | null;
  pipe?.unref?.();
  return watchdog;
}

/** The last lines of standard error, for the message when the start fails. */
function keepLastLines(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (chunk: string) => {
    text = (text + chunk).slice(-2_000);
  });
  const pipe = child.stderr as { unref?: () => void } | null;
  pipe?.unref?.();
  return () => text.trim();
}
