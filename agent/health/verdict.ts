// Counting of health checks as a pure function: when a task is proven healthy, when it is unhealthy
// (spec/executor.md section 7).
import type { HealthCheckConfig } from '../../shared/model/task-config.ts';

/** The numbers of a health check that decide its verdict. */
export type HealthLimits = Pick<
  HealthCheckConfig,
  'initialIntervalSecs' | 'intervalSecs' | 'maxConsecutiveFailures' | 'minConsecutiveSuccesses'
>;

export interface HealthCount {
  readonly attempts: number;
  readonly consecutiveFailures: number;
  readonly consecutiveSuccesses: number;
  /** Enough successes were seen once; stays true. */
  readonly running: boolean;
  /** Set once the task is unhealthy; the text after "Failed health check! ". */
  readonly unhealthy?: string;
}

export const noChecks: HealthCount = {
  attempts: 0,
  consecutiveFailures: 0,
  consecutiveSuccesses: 0,
  running: false,
};

export const notInTimeReason = 'Not enough successful health checks in time.';

/** Attempts whose failure is ignored: the grace period in attempts. */
export function forgivingAttempts(limits: HealthLimits): number {
  return Math.ceil(limits.initialIntervalSecs / limits.intervalSecs);
}

/** Attempts within which the task must have become RUNNING. */
export function attemptsToRunning(limits: HealthLimits): number {
  return forgivingAttempts(limits) + limits.maxConsecutiveFailures + limits.minConsecutiveSuccesses;
}

/** One answer of the checker. */
export type CheckResult = { readonly healthy: true } | { readonly healthy: false; readonly reason: string };

/** The count after one more check. */
export function afterCheck(limits: HealthLimits, before: HealthCount, result: CheckResult): HealthCount {
  const attempts = before.attempts + 1;
  const next = result.healthy
    ? onSuccess(limits, { ...before, attempts })
    : onFailure(limits, { ...before, attempts, consecutiveSuccesses: 0 }, result.reason);
  if (next.unhealthy === undefined && !next.running && attempts > attemptsToRunning(limits)) {
    return { ...next, unhealthy: notInTimeReason };
  }
  return next;
}

function onSuccess(limits: HealthLimits, count: HealthCount): HealthCount {
  const consecutiveSuccesses = count.consecutiveSuccesses + 1;
  return {
    ...count,
    consecutiveFailures: 0,
    consecutiveSuccesses,
    running: count.running || consecutiveSuccesses >= limits.minConsecutiveSuccesses,
  };
}

function onFailure(limits: HealthLimits, count: HealthCount, reason: string): HealthCount {
  if (count.attempts <= forgivingAttempts(limits)) return count;
  const consecutiveFailures = count.consecutiveFailures + 1;
  const left = attemptsToRunning(limits) - count.attempts;
  const hopeless = !count.running && left > 1 && limits.minConsecutiveSuccesses > left;
  if (hopeless || consecutiveFailures > limits.maxConsecutiveFailures) {
    return { ...count, consecutiveFailures, unhealthy: reason };
  }
  return { ...count, consecutiveFailures };
}
