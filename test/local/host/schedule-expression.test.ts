import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../local/host/schedule-expression.ts';

const at = (text: string): number => Date.parse(`${text}Z`);
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

describe('rate expressions', () => {
  it.each([
    ['rate(1 minute)', '2026-01-01T00:00', '2026-01-01T00:00:30', '2026-01-01T00:01'],
    ['rate(5 minutes)', '2026-01-01T00:02', '2026-01-01T00:07', '2026-01-01T00:12'],
    ['rate(2 hours)', '2026-01-01T00:00', '2026-01-01T03:59', '2026-01-01T04:00'],
    ['rate(1 day)', '2026-01-01T06:00', '2026-01-01T06:00', '2026-01-02T06:00'],
  ])('%s from %s, asked at %s: %s', (expression, startedAt, now, expected) => {
    expect(iso(parseSchedule(expression)(at(now), at(startedAt)))).toBe(expected);
  });
});

describe('cron expressions', () => {
  it.each([
    ['cron(0 12 * * ? *)', '2026-03-05T12:00', '2026-03-06T12:00'],
    ['cron(*/15 8-10 ? * MON-FRI *)', '2026-11-20T10:46', '2026-11-23T08:00'],
    ['cron(30 4 1,15 * ? *)', '2026-01-01T04:30', '2026-01-15T04:30'],
    ['cron(0 0 29 FEB ? *)', '2025-01-01T00:00', '2028-02-29T00:00'],
    ['cron(5/20 0 * * ? *)', '2026-01-01T00:06', '2026-01-01T00:25'],
    ['cron(59 23 31 12 ? 2030)', '2026-01-01T00:00', '2030-12-31T23:59'],
  ])('%s asked at %s: %s', (expression, now, expected) => {
    expect(iso(parseSchedule(expression)(at(now), 0))).toBe(expected);
  });

  it('never answers a time that has passed', () => {
    const next = parseSchedule('cron(*/7 */3 ? * TUE,THU *)');
    fc.assert(
      fc.property(fc.integer({ min: at('2024-01-01T00:00'), max: at('2030-01-01T00:00') }), (now) => {
        const due = next(now, 0);
        expect(due).toBeGreaterThan(now);
        expect(new Date(due).getUTCMinutes() % 7).toBe(0);
      }),
    );
  });

  it('answers never when no such time is left', () => {
    expect(parseSchedule('cron(0 0 1 1 ? 2020)')(at('2026-01-01T00:00'), 0)).toBe(Number.POSITIVE_INFINITY);
  });
});

it.each([
  'rate(0 minutes)',
  'rate(1 second)',
  'cron(* * * * *)',
  'cron(60 * * * ? *)',
  'cron(0 0 L * ? *)',
  'cron(0 0 ? * 2#1 *)',
  'cron(0 0 x * ? *)',
  'cron(0/0 * * * ? *)',
  'every day',
])('%s is refused', (expression) => {
  expect(() => parseSchedule(expression)).toThrow('is not understood');
});
