// The loop that asks a task for its health until told to stop, and calls back on RUNNING and on unhealthy.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HealthProbe } from './checker.ts';
import type { CheckResult, HealthCount, HealthLimits } from './verdict.ts';
import { afterCheck, noChecks } from './verdict.ts';

export interface HealthCallbacks {
  readonly onHealthy: () => void;
  /** The loop has ended with this. */
  readonly onUnhealthy: (reason: string) => void;
}

/** Pauses between extra looks while a task is new, ms; the last one repeats. */
const eagerPausesMs = [50, 100, 200, 300, 500, 1000];

/**
 * Checks at once and then every interval, until `signal` aborts or the task is unhealthy. Failures in the grace period
 * don't count (spec/executor.md section 7). There, where Aurora sleeps a whole interval after a failed check, this loop
 * looks again sooner without counting the failures among those looks, so that a task which is up after 300 ms is not
 * RUNNING only after 10 s; a success among them counts as the check of its interval.
 */
export async function watchHealth(
  limits: HealthLimits,
  probe: HealthProbe,
  sandbox: string,
  callbacks: HealthCallbacks,
  signal: AbortSignal,
): Promise<void> {
  const snoozeFile = join(sandbox, '.healthchecksnooze');
  const check: HealthProbe = async () => {
    if (existsSync(snoozeFile)) return { healthy: true };
    return probe().catch((error: unknown) => ({ healthy: false, reason: String(error) }));
  };
  const graceEndsAt = Date.now() + limits.initialIntervalSecs * 1000;
  let count: HealthCount = noChecks;
  let result = await check();
  while (!signal.aborted) {
    const wasRunning = count.running;
    count = afterCheck(limits, count, result);
    if (count.unhealthy !== undefined) {
      callbacks.onUnhealthy(count.unhealthy);
      return;
    }
    if (count.running && !wasRunning) callbacks.onHealthy();
    const dueAt = Date.now() + limits.intervalSecs * 1000;
    const isEager = !count.running && !result.healthy;
    const early = isEager ? await lookEagerly(check, Math.min(dueAt, graceEndsAt), signal) : undefined;
    if (early === undefined) await pause(dueAt - Date.now(), signal);
    result = early ?? (signal.aborted ? result : await check());
  }
}

/** Looks again and again until the time is up; the success if there was one. */
async function lookEagerly(
  check: HealthProbe,
  until: number,
  signal: AbortSignal,
): Promise<CheckResult | undefined> {
  for (let i = 0; ; i++) {
    const pauseMs = eagerPausesMs[Math.min(i, eagerPausesMs.length - 1)] as number;
    if (Date.now() + pauseMs >= until) return undefined;
    await pause(pauseMs, signal);
    if (signal.aborted) return undefined;
    const result = await check();
    if (result.healthy) return result;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0 || signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
