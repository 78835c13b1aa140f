// Takes the platform's clock, timers and randomness away from everything in this process and puts the simulator's in
// their place, and answers the SDK's clients and the logger itself: so the functions run as their handler files wire
// them, and code which does not take its time as a parameter (a back-off, a pause) is simulated as well.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { createRandom, type Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

const require = createRequire(import.meta.url);

export interface Sources {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** A promise failed that nobody waited for: on Lambda that ends the process. */
  readonly onUnhandled: (error: unknown) => void;
}

/** The process some code runs in: its clock, and what answers its SDK clients and takes its log. */
export interface Host {
  /** Ahead of the simulated time by so much, ms. */
  readonly skewMs: number;
  send(service: 'store' | 'queue' | 'bus' | 'workflows' | 'functions', command: object): Promise<unknown>;
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void;
}

const hosts = new AsyncLocalStorage<Host>();

/** Runs work, and all that follows from it, as that process. */
export function onHost<R>(host: Host, work: () => R): R {
  return hosts.run(host, work);
}

/** While modules load there is no run: they get a fixed time, and nothing they draw may matter. */
const loadingAt = 1_700_000_000_000;
const loading = createRandom('loading');
let current: Sources | undefined;
let installed = false;

function random(): Random {
  return current?.random ?? loading;
}

function scheduler(): Scheduler {
  if (!current) throw new Error('a timer was started outside a run');
  return current.scheduler;
}

interface Timer {
  isCleared: boolean;
  unref(): Timer;
  ref(): Timer;
}

function startTimer(work: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): Timer {
  const timer: Timer = { isCleared: false, unref: () => timer, ref: () => timer };
  scheduler().after(Math.max(1, delayMs), () => {
    if (timer.isCleared) return;
    scheduler().stir();
    work(...args);
  });
  return timer;
}

function clearTimer(timer: Timer | undefined): void {
  if (timer) timer.isCleared = true;
}

process.on('unhandledRejection', (error) => {
  if (!current) throw error;
  current.onUnhandled(error);
});

/** From now on the process lives in simulated time; once per process, before the functions are loaded. */
export function installHermetic(): void {
  if (installed) return;
  installed = true;
  const promises = require('node:timers/promises') as { setTimeout: unknown };
  promises.setTimeout = (ms = 0): Promise<void> => scheduler().sleep(ms);
  const timers = require('node:timers') as { setTimeout: unknown; clearTimeout: unknown };
  timers.setTimeout = startTimer;
  timers.clearTimeout = clearTimer;
  const nodeCrypto = require('node:crypto') as { randomUUID: unknown };
  nodeCrypto.randomUUID = () =>
    Array.from({ length: 4 }, () =>
      random()
        .below(2 ** 32)
        .toString(16),
    ).join('-');
  syncBuiltinESMExports();
  globalThis.setTimeout = startTimer as unknown as typeof setTimeout;
  globalThis.clearTimeout = clearTimer as unknown as typeof clearTimeout;
  globalThis.setInterval = (() => {
    throw new Error('an interval was started inside the simulation');
  }) as unknown as typeof setInterval;
  crypto.getRandomValues = ((bytes: Uint8Array) => bytes.map(() => random().below(256))) as never;
  Date.now = () => (current ? current.scheduler.now + (hosts.getStore()?.skewMs ?? 0) : loadingAt);
  Math.random = () => random().next();
}

/** The process this code runs in; throws outside of all. */
export function presentHost(): Host {
  const host = hosts.getStore();
  if (!host) throw new Error('a client was used outside of any function');
  return host;
}

/** The run whose time and randomness the platform answers with. */
export function useSources(next: Sources): void {
  current = next;
}
