// Loops of the agent: do something now and then until told to stop; a failure is logged and never ends a loop.
import type { AgentLog } from '../log.ts';
import { errorText } from '../log.ts';

export interface Repeater {
  /** Does it as soon as possible instead of at the next interval. */
  now(): void;
  readonly ended: Promise<void>;
}

/** Runs `work` at once and then every interval, one at a time, until the signal aborts. */
export function repeat(
  name: string,
  intervalMs: number,
  signal: AbortSignal,
  log: AgentLog,
  work: () => Promise<void>,
): Repeater {
  let isDue = false;
  let cutShort: (() => void) | undefined;
  const loop = async () => {
    while (!signal.aborted) {
      isDue = false;
      await attempt(name, signal, log, work);
      if (isDue || signal.aborted) continue;
      await pause(intervalMs, signal, (end) => {
        cutShort = end;
      });
    }
  };
  return {
    now: () => {
      isDue = true;
      cutShort?.();
    },
    ended: loop(),
  };
}

/** Sleeps; ends early when the signal aborts or `onStart`'s argument is called. */
export function pause(
  ms: number,
  signal: AbortSignal,
  onStart: (end: () => void) => void = () => {},
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    onStart(end);
  });
}

async function attempt(
  name: string,
  signal: AbortSignal,
  log: AgentLog,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) log('warn', `${name} failed; it will be tried again`, { error: errorText(error) });
  }
}
