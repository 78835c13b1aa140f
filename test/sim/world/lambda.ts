// Lambda: containers that keep their memory between invocations, one invocation each at a time, and an end without
// warning: a crashed or timed-out invocation simply never goes on, and its container is gone with all it remembered.
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface Invocation {
  readonly functionName: string;
  readonly startedAt: number;
  dead: boolean;
  done: boolean;
  readonly onEnd: (outcome: Outcome) => void;
}

export type Outcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'crashed' };

/** One warm process of a function. */
export interface Container {
  readonly functionName: string;
  /** This host's clock is ahead of the simulated time by so much, ms. */
  readonly skewMs: number;
  invocation: Invocation | undefined;
  handle: (event: unknown, remainingMs: () => number) => Promise<unknown>;
}

export interface LambdaFunction {
  readonly name: string;
  readonly timeoutMs: number;
  /** A new process: everything it keeps in memory starts empty. */
  readonly build: (container: Container) => Container['handle'];
}

const coldStartChance = 0.05;

export class Lambda {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #maxSkewMs: number;
  readonly #idle = new Map<string, Container[]>();
  invocations = 0;
  crashes = 0;
  /** Invocations refused for want of concurrency. */
  throttled = 0;
  #running = 0;
  readonly #concurrency: number;

  constructor(
    scheduler: Scheduler,
    random: Random,
    maxSkewMs: number,
    concurrency = Number.POSITIVE_INFINITY,
  ) {
    this.#concurrency = concurrency;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#maxSkewMs = maxSkewMs;
  }

  /** May another invocation start? Counts a refusal. */
  hasRoom(): boolean {
    if (this.#running < this.#concurrency) return true;
    this.throttled++;
    return false;
  }

  invoke(fn: LambdaFunction, event: unknown, onEnd: (outcome: Outcome) => void): Invocation {
    this.invocations++;
    this.#running++;
    const container = this.#container(fn);
    const startedAt = this.#scheduler.now;
    const invocation: Invocation = { functionName: fn.name, startedAt, dead: false, done: false, onEnd };
    container.invocation = invocation;
    const deadline = startedAt + fn.timeoutMs;
    this.#scheduler.at(deadline, () => this.crash(invocation));
    const finish = (outcome: Outcome) => {
      if (invocation.dead || invocation.done) return;
      invocation.done = true;
      this.#running--;
      container.invocation = undefined;
      this.#idle.get(fn.name)?.push(container);
      onEnd(outcome);
    };
    this.#scheduler.stir();
    container
      .handle(event, () => deadline - this.#scheduler.now)
      .then(
        (value) => finish({ kind: 'returned', value }),
        (error: unknown) => finish({ kind: 'failed', error }),
      );
    return invocation;
  }

  /** Ends an invocation for good, wherever it is; nothing if it has ended. */
  crash(invocation: Invocation): void {
    if (invocation.dead || invocation.done) return;
    invocation.dead = true;
    this.#running--;
    this.crashes++;
    invocation.onEnd({ kind: 'crashed' });
  }

  /** All warm processes are gone (a deployment, an outage). */
  forget(): void {
    this.#idle.clear();
  }

  #container(fn: LambdaFunction): Container {
    let idle = this.#idle.get(fn.name);
    if (!idle) {
      idle = [];
      this.#idle.set(fn.name, idle);
    }
    const isCold = this.#random.chance(coldStartChance);
    const warm = isCold ? undefined : idle.pop();
    if (warm) return warm;
    const skewMs = this.#random.between(-this.#maxSkewMs, this.#maxSkewMs);
    const container: Container = { functionName: fn.name, skewMs, invocation: undefined, handle: nothing };
    container.handle = fn.build(container);
    return container;
  }
}

const nothing = (): Promise<unknown> => Promise.resolve(undefined);
