import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultFlapping,
  flapped,
  nextBackoffMs,
  nextKillRetryMs,
  penaltyMs,
  successorStreak,
} from '../../../../shared/domain/task/flapping.ts';
import type { TaskState } from '../../../../shared/model/task.ts';
import { sampleTask } from './sample-task.ts';

const minute = 60_000;

function ended(history: [TaskState, number][], flapStreak = 0) {
  return sampleTask(history.at(-1)?.[0] ?? 'FAILED', { flapStreak }, history);
}

describe('flapped', () => {
  it.each<[string, [TaskState, number][], boolean]>([
    [
      'a run of just under five minutes',
      [
        ['RUNNING', 0],
        ['FAILED', 5 * minute - 1],
      ],
      true,
    ],
    [
      'a run of five minutes',
      [
        ['RUNNING', 0],
        ['FAILED', 5 * minute],
      ],
      false,
    ],
    [
      'a short run after a long wait',
      [
        ['PENDING', 0],
        ['ASSIGNED', 60 * minute],
        ['RUNNING', 61 * minute],
        ['FINISHED', 62 * minute],
      ],
      true,
    ],
    [
      'a short run ended by a restart',
      [
        ['RUNNING', 0],
        ['RESTARTING', 5],
        ['KILLED', 9],
      ],
      false,
    ],
    [
      'a short run ended by a kill',
      [
        ['RUNNING', 0],
        ['KILLING', 5],
        ['KILLED', 9],
      ],
      false,
    ],
    [
      'a short run ended by a drain',
      [
        ['RUNNING', 0],
        ['DRAINING', 5],
        ['KILLED', 9],
      ],
      false,
    ],
    [
      'an end soon after preemption',
      [
        ['RUNNING', 0],
        ['PREEMPTING', 60 * minute],
        ['KILLED', 60 * minute + 9],
      ],
      true,
    ],
    [
      'a partition given up within five minutes',
      [
        ['RUNNING', 0],
        ['PARTITIONED', 60 * minute],
        ['LOST', 64 * minute],
      ],
      true,
    ],
    [
      'a long run that lost its agent at once',
      [
        ['RUNNING', 0],
        ['LOST', 60 * minute],
      ],
      false,
    ],
    ['a task without events', [], false],
    ['a history without an active state', [['LOST', 0]], false],
  ])('%s', (_name, history, answer) => {
    expect(flapped(ended(history), defaultFlapping)).toBe(answer);
  });
});

describe('the penalty', () => {
  const shortRun: [TaskState, number][] = [
    ['RUNNING', 0],
    ['FAILED', 10],
  ];
  const longRun: [TaskState, number][] = [
    ['RUNNING', 0],
    ['FAILED', 60 * minute],
  ];

  it.each([
    // streak of the ended task, U, milliseconds
    [0, 0.5, 0],
    [1, 0, 30_000],
    [1, 0.5, 45_000],
    [2, 0.5, 67_500],
    [3, 0.5, 101_250],
    [9, 0.5, 300_000],
    [100_000, 0.5, 300_000],
    // A backoff that does not grow stops, however long the streak.
    [100_000, 0, 30_000],
  ])('after %i flapped ancestors with U = %d is %i ms', (streak, random, penalty) => {
    expect(penaltyMs(ended(shortRun, streak), defaultFlapping, () => random)).toBe(penalty);
  });

  it('is nothing when the run that just ended was long, and the streak starts again', () => {
    expect(penaltyMs(ended(longRun, 5), defaultFlapping, () => 0.5)).toBe(0);
    expect(successorStreak(ended(longRun, 5), defaultFlapping)).toBe(0);
    expect(successorStreak(ended(shortRun, 5), defaultFlapping)).toBe(6);
  });

  it('is always 0 or between the initial and the largest delay, in whole milliseconds', () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (streak, us) => {
          const penalty = penaltyMs(ended(shortRun, streak), defaultFlapping, () => us.next().value);
          expect(Number.isInteger(penalty)).toBe(true);
          if (streak === 0) expect(penalty).toBe(0);
          else expect(penalty >= 30_000 && penalty <= 300_000).toBe(true);
        },
      ),
    );
  });
});

describe('backoff', () => {
  it('resends kills after 15 to 30 s at first, then later and later, up to 5 min', () => {
    expect(nextKillRetryMs(0, () => 0)).toBe(15_000);
    expect(nextKillRetryMs(0, () => 0.999_999)).toBe(30_000);
    expect(nextKillRetryMs(20_000, () => 0.5)).toBe(30_000);
    expect(nextKillRetryMs(290_000, () => 0.5)).toBe(300_000);
    expect(nextKillRetryMs(300_000, () => 0)).toBe(300_000);
  });

  it('never shrinks and never exceeds its largest delay', () => {
    fc.assert(
      fc.property(
        fc.nat(400_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (previous, u) => {
          const settings = { initialMs: 1000, maxMs: 400_000 };
          const next = nextBackoffMs(previous, settings, () => u);
          expect(next).toBeGreaterThanOrEqual(previous);
          expect(next).toBeLessThanOrEqual(settings.maxMs);
        },
      ),
    );
  });
});
