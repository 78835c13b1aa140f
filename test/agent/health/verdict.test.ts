import { describe, expect, it } from 'vitest';
import { judgeAnswer } from '../../../agent/health/checker.ts';
import type { HealthCount, HealthLimits } from '../../../agent/health/verdict.ts';
import {
  afterCheck,
  attemptsToRunning,
  forgivingAttempts,
  noChecks,
  notInTimeReason,
} from '../../../agent/health/verdict.ts';

const defaults: HealthLimits = {
  initialIntervalSecs: 15,
  intervalSecs: 10,
  maxConsecutiveFailures: 0,
  minConsecutiveSuccesses: 1,
};

/** `+` success, `-` failure; the count after the last check, or after the one that decided. */
function play(limits: Partial<HealthLimits>, checks: string): HealthCount & { readonly used: number } {
  let count = noChecks;
  let used = 0;
  for (const check of checks) {
    if (count.unhealthy !== undefined) break;
    used++;
    const result = check === '+' ? { healthy: true as const } : { healthy: false as const, reason: 'no' };
    count = afterCheck({ ...defaults, ...limits }, count, result);
  }
  return { ...count, used };
}

describe('health check counting', () => {
  it.each([
    [{}, 2, 3],
    [{ initialIntervalSecs: 0 }, 0, 1],
    [{ maxConsecutiveFailures: 2, minConsecutiveSuccesses: 3 }, 2, 7],
  ])('%o forgives %i attempts and allows %i to reach RUNNING', (limits, m, n) => {
    expect(forgivingAttempts({ ...defaults, ...limits })).toBe(m);
    expect(attemptsToRunning({ ...defaults, ...limits })).toBe(n);
  });

  const cases: [
    string,
    Partial<HealthLimits>,
    string,
    { running: boolean; unhealthy?: string; used?: number },
  ][] = [
    ['the first success is enough by default', {}, '+', { running: true }],
    ['failures in the grace period are ignored', {}, '--+', { running: true }],
    [
      'the first failure after the grace period decides',
      {},
      '---',
      { running: false, unhealthy: 'no', used: 3 },
    ],
    ['a grace-period failure is ignored even after RUNNING', {}, '+-+', { running: true }],
    ['a later failure ends a running task', {}, '+++-', { running: true, unhealthy: 'no', used: 4 }],
    [
      'tolerated failures in a row, then one too many',
      { maxConsecutiveFailures: 2 },
      '+++---',
      { running: true, unhealthy: 'no', used: 6 },
    ],
    ['a success forgets failures', { maxConsecutiveFailures: 1 }, '+++-+-+-', { running: true }],
    ['several successes in a row are needed', { minConsecutiveSuccesses: 3 }, '++', { running: false }],
    ['and make it RUNNING', { minConsecutiveSuccesses: 3 }, '+++', { running: true }],
    [
      'a failure resets the successes, even in the grace period',
      { minConsecutiveSuccesses: 2 },
      '+-+',
      { running: false },
    ],
    [
      'fails fast when the attempts left (2) are fewer than the successes needed (3)',
      // m = 2, n = 2 + 2 + 3 = 7; the failure of attempt 5 leaves 2.
      { minConsecutiveSuccesses: 3, maxConsecutiveFailures: 2 },
      '--+--',
      { running: false, unhealthy: 'no', used: 5 },
    ],
    [
      'is out of time once attempt n + 1 has not proven it',
      // m = 2, n = 2 + 2 + 2 = 6
      { minConsecutiveSuccesses: 2, maxConsecutiveFailures: 2 },
      '--+-+-+',
      { running: false, unhealthy: notInTimeReason, used: 7 },
    ],
  ];
  it.each(cases)('%s', (_name, limits, checks, expected) => {
    expect(play(limits, checks)).toMatchObject(expected);
    if (expected.unhealthy === undefined) expect(play(limits, checks).unhealthy).toBeUndefined();
  });
});

describe('judgeAnswer', () => {
  it.each([
    ['ok', 0, 200, 'ok', true],
    ['ok', 0, 200, '  OK\n', true],
    ['ok', 0, 200, 'okay', false],
    ['ok', 0, 500, '', false],
    ['', 0, 500, '', true],
    ['', 200, 204, '', false],
    ['', 204, 204, '', true],
    ['ok', 200, 201, 'ok', false],
  ])('expecting "%s" and code %i, an answer %i "%s" is healthy: %s', (body, code, status, got, healthy) => {
    const expected = { expectedResponse: body, expectedResponseCode: code };
    expect(judgeAnswer(expected, { status, body: got }).healthy).toBe(healthy);
  });
});
