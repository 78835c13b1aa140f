// Takes the platform's clock, timers and randomness away from everything in this process and puts the simulator's in
// their place, so that code which does not take them as parameters (a back-off, a pause) is simulated as well.
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

const require = createRequire(import.meta.url);

export interface Sources {
  readonly scheduler: Scheduler;
  readonly random: Random;
}

let current: Sources | undefined;
let installed = false;

function sources(): Sources {
  if (!current) throw new Error('the platform was asked for the time or a random number outside a run');
  return current;
}

/** From now on the process lives in simulated time; once per process. */
export function installHermetic(): void {
  if (installed) return;
  installed = true;
  const promises = require('node:timers/promises') as { setTimeout: unknown };
  promises.setTimeout = (ms = 0): Promise<void> => sources().scheduler.sleep(ms);
  const refuse = (): never => {
    throw new Error('a real timer was started inside the simulation');
  };
  (require('node:timers') as { setTimeout: unknown }).setTimeout = refuse;
  syncBuiltinESMExports();
  globalThis.setTimeout = refuse as unknown as typeof setTimeout;
  globalThis.setInterval = refuse as unknown as typeof setInterval;
  Date.now = () => sources().scheduler.now;
  Math.random = () => sources().random.next();
}

/** The run whose time and randomness the platform answers with. */
export function useSources(next: Sources): void {
  current = next;
}
