// The control plane of a chaos run: the embedded stack as a process of its own (control-plane-process.ts), so that all of
// it can be killed at once and started again on its ports and its data.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryRoot } from '../../../local/engines/dynamo-engine.ts';
import type { HostStats } from '../../../local/host/host.ts';
import type { Odds } from '../../../local/host/striker.ts';
import type { LocalStackOptions } from '../../../local/stack.ts';

/** What the process says when it is there. */
export interface Begun {
  readonly apiUrl: string;
  readonly sqsEndpoint: string;
  readonly awsEndpoint: string;
  readonly cluster: string;
}

/** A call of the process. */
export interface Request {
  readonly id: number;
  readonly method: 'restartEngine' | 'runSchedules' | 'setFaults' | 'setStoreFaults' | 'stats' | 'dynamoPid';
  readonly argument?: unknown;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Calls fail while it is away. */
export interface ControlPlane extends Begun {
  /** SIGKILL for the engine, or the end of its thread; answers when it is back. */
  restartEngine(engine: 'dynamo' | 'sqs'): Promise<void>;
  /** Runs every schedule now, as the next minute would. */
  runSchedules(): Promise<void>;
  /** Makes functions fail from now on, or no longer. */
  setFaults(odds: Odds | undefined): Promise<void>;
  /** The same for the store. */
  setStoreFaults(odds: Odds | undefined): Promise<void>;
  /** What its queues hold and what its functions did in this life. */
  stats(): Promise<HostStats>;
  /** How often functions and requests to the store were struck, in all its lives, by kind. */
  faultCounts(): Promise<Readonly<Record<string, number>>>;
  /** SIGKILL for the process, with its queues, timers and executions, and for the engine of the table. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data. */
  revive(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('./control-plane-process.ts', import.meta.url));
const stopWithinMs = 20_000;

/** Starts it on free ports with data of its own. */
export async function startControlPlane(
  options: Omit<LocalStackOptions, 'dataDir' | 'port' | 'sqsPort' | 'faultyStore' | 'log'>,
): Promise<ControlPlane> {
  const dataDir = mkdtempSync(join(temporaryRoot(), 'borealis-chaos-'));
  const ports = await freePorts();
  let life = await begin({ ...options, ...ports, dataDir, faultyStore: true }).catch((error: unknown) => {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  });
  const { begun } = life;
  const earlier: Readonly<Record<string, number>>[] = [];
  const counts = async (): Promise<Readonly<Record<string, number>>> => {
    const { faults, storeFaults } = await life.call<HostStats>('stats');
    return { ...faults, ...storeFaults };
  };
  return {
    ...begun,
    restartEngine: (engine) => life.call('restartEngine', engine),
    runSchedules: () => life.call('runSchedules'),
    setFaults: (odds) => life.call('setFaults', odds ?? null),
    setStoreFaults: (odds) => life.call('setStoreFaults', odds ?? null),
    stats: () => life.call('stats'),
    faultCounts: async () => summed([...earlier, await counts()]),
    async kill() {
      const pid = await life.call<number | undefined>('dynamoPid');
      // It may have trouble enough already.
      const struck = await counts().catch(() => ({}));
      earlier.push(struck);
      const exited = once(life.child, 'exit');
      life.child.kill('SIGKILL');
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      await exited;
    },
    async revive() {
      life = await begin({ ...options, ...ports, dataDir, faultyStore: true });
      const { apiUrl, sqsEndpoint } = life.begun;
      if (apiUrl !== begun.apiUrl || sqsEndpoint !== begun.sqsEndpoint)
        throw new Error(`the control plane came back as ${apiUrl} and ${sqsEndpoint}`);
    },
    async stop() {
      if (life.child.connected) {
        const exited = once(life.child, 'exit');
        life.child.disconnect();
        const hard = setTimeout(() => life.child.kill('SIGKILL'), stopWithinMs);
        await exited;
        clearTimeout(hard);
      }
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Two in a row, below those that systems hand out by themselves: while the control plane is away its ports must not become
 * the near end of somebody's connection.
 */
async function freePorts(): Promise<{ readonly port: number; readonly sqsPort: number }> {
  for (;;) {
    const port = 30_000 + 2 * Math.floor(Math.random() * 1300);
    if ((await isFree(port)) && (await isFree(port + 1))) return { port, sqsPort: port + 1 };
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

interface Life {
  readonly child: ChildProcess;
  readonly begun: Begun;
  call<T>(method: Request['method'], argument?: unknown): Promise<T>;
}

async function begin(options: LocalStackOptions): Promise<Life> {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  const begun = await new Promise<Begun>((resolve, reject) => {
    child.once('exit', (code, signal) => {
      const error = `the control plane has ended (${signal ?? code})`;
      reject(new Error(error));
      for (const [id, answer] of waiting) answer({ id, error });
    });
    child.on('message', (message: Begun | Answer) => {
      if (!('id' in message)) return resolve(message);
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    });
  });
  let lastId = 0;
  return {
    child,
    begun,
    call: <T>(method: Request['method'], argument?: unknown) =>
      new Promise<T>((resolve, reject) => {
        if (!child.connected) return reject(new Error('the control plane is away'));
        const id = ++lastId;
        waiting.set(id, ({ value, error }) => {
          if (error === undefined) resolve(value as T);
          else reject(new Error(error));
        });
        child.send({ id, method, argument } satisfies Request, (error) => {
          // Between its end and the news of it: nobody is left to answer.
          if (error) waiting.get(id)?.({ id, error: error.message });
        });
      }),
  };
}

function summed(lives: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const total: Record<string, number> = {};
  for (const [kind, count] of lives.flatMap((counts) => Object.entries(counts)))
    total[kind] = (total[kind] ?? 0) + count;
  return total;
}
