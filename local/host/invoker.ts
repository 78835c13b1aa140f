// Runs handlers the way Lambda does: loaded once, called with an event and a context, ended by a timeout. All functions
// share this thread's process.env, so variables that two functions set differently are refused at the start.
import { randomUUID } from 'node:crypto';
import { resolve as resolvePath } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Context } from 'aws-lambda';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { FunctionPlan } from '../template/plan.ts';

/** What became of the invocations of one function. */
export interface FunctionStats {
  invocations: number;
  errors: number;
  timeouts: number;
  totalMs: number;
}

export interface Invoker {
  /** Calls a function and answers what it returns. Throws what it throws; TIMEOUT if it takes too long. */
  invoke(functionArn: string, event: unknown): Promise<unknown>;
  /** The plan of a function; INVALID_CONFIG if the app has no such function. */
  functionByArn(functionArn: string): FunctionPlan;
  /** Invocations running now. */
  inFlight(): number;
  /** Calls back after every invocation, whatever came of it. */
  onSettled(listener: (functionArn: string) => void): void;
  /** Resolves when no invocation runs. */
  idle(): Promise<void>;
  stats(): Readonly<Record<string, FunctionStats>>;
}

type Handler = (event: unknown, context: Context) => unknown;

export interface InvokerOptions {
  readonly functions: readonly FunctionPlan[];
  /** Top of the repository; entries are relative to it. */
  readonly root: string;
  readonly log: (line: string) => void;
}

/** The environment of all functions together. INVALID_CONFIG naming a variable that two of them set differently. */
export function unitedEnvironment(functions: readonly FunctionPlan[]): Readonly<Record<string, string>> {
  const united = new Map<string, { value: string; by: string }>();
  for (const { name: by, environment } of functions) {
    for (const [name, value] of Object.entries(environment)) {
      const known = united.get(name);
      if (known && known.value !== value) {
        throw new BorealisError(
          'INVALID_CONFIG',
          `functions ${known.by} and ${by} set ${name} to different values; the embedded stack runs them in one ` +
            'environment and was not started. Give the variables different names.',
        );
      }
      united.set(name, { value, by });
    }
  }
  return Object.fromEntries([...united].map(([name, { value }]) => [name, value]));
}

/** Loads every handler and answers the invoker. INVALID_CONFIG naming a handler that cannot be loaded. */
export async function loadInvoker(options: InvokerOptions): Promise<Invoker> {
  const handlers = new Map<string, LoadedFunction>();
  await Promise.all(
    options.functions.map(async (plan) => {
      handlers.set(plan.arn, { plan, handler: await loadHandler(plan, options.root), stats: emptyStats() });
    }),
  );
  return new LoadedInvoker(handlers, options.log);
}

interface LoadedFunction {
  readonly plan: FunctionPlan;
  readonly handler: Handler;
  readonly stats: FunctionStats;
}

function emptyStats(): FunctionStats {
  return { invocations: 0, errors: 0, timeouts: 0, totalMs: 0 };
}

async function loadHandler(plan: FunctionPlan, root: string): Promise<Handler> {
  const file = resolvePath(root, plan.entry);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BorealisError(
      'INVALID_CONFIG',
      `function ${plan.name}: ${plan.entry} cannot be loaded: ${reason}`,
      {
        cause: error,
      },
    );
  }
  const handler = module[plan.handler];
  if (typeof handler === 'function') return handler as Handler;
  throw new BorealisError(
    'INVALID_CONFIG',
    `function ${plan.name}: ${plan.entry} has no export ${plan.handler}`,
  );
}

/** Least time between two log lines about the same function failing, so that a storm stays readable. */
const failureLogEveryMs = 1_000;

class LoadedInvoker implements Invoker {
  readonly #functions: ReadonlyMap<string, LoadedFunction>;
  readonly #log: (line: string) => void;
  readonly #listeners: ((functionArn: string) => void)[] = [];
  readonly #lastFailureLog = new Map<string, number>();
  #running = 0;
  #whenIdle: (() => void)[] = [];

  constructor(functions: ReadonlyMap<string, LoadedFunction>, log: (line: string) => void) {
    this.#functions = functions;
    this.#log = log;
  }

  functionByArn(functionArn: string): FunctionPlan {
    return this.#find(functionArn).plan;
  }

  inFlight(): number {
    return this.#running;
  }

  onSettled(listener: (functionArn: string) => void): void {
    this.#listeners.push(listener);
  }

  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  stats(): Readonly<Record<string, FunctionStats>> {
    return Object.fromEntries(
      [...this.#functions.values()].map(({ plan, stats }) => [plan.name, { ...stats }]),
    );
  }

  async invoke(functionArn: string, event: unknown): Promise<unknown> {
    const loaded = this.#find(functionArn);
    const startedAt = performance.now();
    loaded.stats.invocations++;
    this.#running++;
    const invocation = startInvocation(loaded, event);
    try {
      return await invocation.result;
    } catch (error) {
      loaded.stats.errors++;
      if (invocation.timedOut()) loaded.stats.timeouts++;
      this.#logFailure(loaded.plan.name, error);
      throw error;
    } finally {
      invocation.end();
      loaded.stats.totalMs += performance.now() - startedAt;
      this.#settled(functionArn);
    }
  }

  #settled(functionArn: string): void {
    this.#running--;
    for (const listener of this.#listeners) listener(functionArn);
    if (this.#running > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #find(functionArn: string): LoadedFunction {
    const loaded = this.#functions.get(functionArn);
    if (loaded) return loaded;
    throw new BorealisError('INVALID_CONFIG', `the app has no function ${functionArn}`);
  }

  #logFailure(name: string, error: unknown): void {
    const now = performance.now();
    if (now - (this.#lastFailureLog.get(name) ?? -failureLogEveryMs) < failureLogEveryMs) return;
    this.#lastFailureLog.set(name, now);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log(`function ${name} failed: ${text}`);
  }
}

interface Invocation {
  readonly result: Promise<unknown>;
  timedOut(): boolean;
  end(): void;
}

function startInvocation({ plan, handler }: LoadedFunction, event: unknown): Invocation {
  const endsAt = performance.now() + plan.timeoutMs;
  let timedOut = false;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      timedOut = true;
      reject(
        new BorealisError(
          'TIMEOUT',
          `function ${plan.name} did not finish within ${plan.timeoutMs / 1000} s`,
        ),
      );
    }, plan.timeoutMs);
  });
  const run = async (): Promise<unknown> => handler(event, contextFor(plan, endsAt));
  const work = run();
  // Whoever loses the race may still fail; that failure was answered already.
  work.catch(() => undefined);
  return {
    result: Promise.race([work, timeout]),
    timedOut: () => timedOut,
    end: () => clearTimeout(timer),
  };
}

function contextFor(plan: FunctionPlan, endsAt: number): Context {
  const never = (): void => undefined;
  return {
    functionName: plan.name,
    functionVersion: '$LATEST',
    invokedFunctionArn: plan.arn,
    memoryLimitInMB: String(plan.memoryMb),
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${plan.name}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(endsAt - performance.now())),
    done: never,
    fail: never,
    succeed: never,
  };
}
