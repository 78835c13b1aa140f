// Flapping: an instance whose runs keep ending soon waits in THROTTLED before its next run (spec/task-lifecycle.md
// section 7). Also the randomised backoff that the specification uses everywhere.
import type { RandomSource } from '../../lib/ports.ts';
import { isActive, type Task } from '../../model/task.ts';

/** First and largest delay of a backoff, milliseconds. */
export interface BackoffSettings {
  readonly initialMs: number;
  readonly maxMs: number;
}

export interface FlappingSettings {
  /** A run shorter than this flapped. */
  readonly thresholdMs: number;
  readonly delay: BackoffSettings;
}

export const defaultFlapping: FlappingSettings = {
  thresholdMs: 5 * 60_000,
  delay: { initialMs: 30_000, maxMs: 5 * 60_000 },
};

/** Resending of a kill while a task stays in KILLING. */
const killRetry: BackoffSettings = { initialMs: 15_000, maxMs: 5 * 60_000 };

/** Truncated randomised backoff: min(max, prev + U(0,1) x prev), where prev is at least the initial delay. */
export function nextBackoffMs(previousMs: number, settings: BackoffSettings, random: RandomSource): number {
  const base = Math.max(previousMs, settings.initialMs);
  return Math.min(settings.maxMs, Math.round(base + random() * base));
}

/** Delay until a kill is sent again: 15 to 30 s at first (`previousMs` 0), growing to 5 min at most. */
export function nextKillRetryMs(previousMs: number, random: RandomSource): number {
  return nextBackoffMs(previousMs, killRetry, random);
}

/** Did this ended task run too briefly? An end that someone asked for (restart, kill, drain) never counts. */
export function flapped(task: Task, settings: FlappingSettings): boolean {
  const { events } = task;
  const last = events.at(-1);
  if (!last) return false;
  const askedFor = events.some(
    ({ state }) => state === 'RESTARTING' || state === 'KILLING' || state === 'DRAINING',
  );
  if (askedFor) return false;
  const lastActive = events.findLast(({ state }) => isActive(state));
  return lastActive !== undefined && last.at - lastActive.at < settings.thresholdMs;
}

/** `flapStreak` of the successor of an ended task: one more if it flapped too, else from zero again. */
export function successorStreak(ended: Task, settings: FlappingSettings): number {
  return flapped(ended, settings) ? ended.flapStreak + 1 : 0;
}

/**
 * How long the successor of an ended task is held back, milliseconds; 0 = not at all. The backoff is fed once per
 * flapped ancestor of the ended task, so the first short run is replaced at once and the second in a row is throttled.
 *
 * Differs from Aurora, which computes this twice: for the message from the ended task's ancestors, and for the wait
 * from the new task's (one run more, other random numbers), so that message and wait disagree, and a task that ran
 * for hours after one short run is announced as throttled and released at once. Here one number serves both, and a
 * long run is never throttled.
 */
export function penaltyMs(ended: Task, settings: FlappingSettings, random: RandomSource): number {
  if (!flapped(ended, settings)) return 0;
  let penalty = 0;
  for (let fed = 0; fed < ended.flapStreak; fed++) {
    const next = nextBackoffMs(penalty, settings.delay, random);
    if (next <= penalty) break;
    penalty = next;
  }
  return penalty;
}
