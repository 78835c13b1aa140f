// When a schedule is due next: EventBridge Scheduler's rate(...) and cron(...) expressions, UTC. Pure.
import { BorealisError } from '../../shared/lib/errors.ts';

/** Answers the first due time after `now`, both in epoch milliseconds. `startedAt` is where a rate counts from. */
export type NextDue = (now: number, startedAt: number) => number;

const unitMs: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Parses an expression. INVALID_CONFIG if it is none that is understood. */
export function parseSchedule(expression: string): NextDue {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (rate) {
    const everyMs = Number(rate[1]) * (unitMs[rate[2] ?? ''] ?? 0);
    if (everyMs > 0) {
      return (now, startedAt) => startedAt + (Math.floor((now - startedAt) / everyMs) + 1) * everyMs;
    }
  }
  const cron = /^cron\((.+)\)$/.exec(expression)?.[1]?.trim().split(/ +/);
  if (cron?.length === 6) return cronSchedule(cron, expression);
  throw unreadable(expression);
}

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const minuteField: Field = { min: 0, max: 59 };
const hourField: Field = { min: 0, max: 23 };
const dayField: Field = { min: 1, max: 31 };
const monthField: Field = { min: 1, max: 12, names: months };
const weekdayField: Field = { min: 1, max: 7, names: weekdays };
const yearField: Field = { min: 1970, max: 2199 };

/** Longest look ahead: eight years, so that 29 February is always found. */
const horizonDays = 8 * 366;

function cronSchedule(fields: readonly string[], expression: string): NextDue {
  const [minute = '', hour = '', day = '', month = '', weekday = '', year = ''] = fields;
  const minutes = parseField(minute, minuteField, expression);
  const hours = parseField(hour, hourField, expression);
  const days = parseField(day, dayField, expression);
  const monthsOk = parseField(month, monthField, expression);
  const weekdaysOk = parseField(weekday, weekdayField, expression);
  const years = parseField(year, yearField, expression);
  return (now) => {
    const start = new Date(Math.floor(now / 60_000) * 60_000 + 60_000);
    const firstDay = Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate());
    for (let offset = 0; offset < horizonDays; offset++) {
      const date = new Date(firstDay + offset * 86_400_000);
      const fits =
        years.has(date.getUTCFullYear()) &&
        monthsOk.has(date.getUTCMonth() + 1) &&
        days.has(date.getUTCDate()) &&
        weekdaysOk.has(date.getUTCDay() + 1);
      if (!fits) continue;
      for (const h of hours) {
        for (const m of minutes) {
          const due = date.getTime() + (h * 60 + m) * 60_000;
          if (due >= start.getTime()) return due;
        }
      }
    }
    return Number.POSITIVE_INFINITY;
  };
}

/** The values a field allows, ascending. */
function parseField(text: string, field: Field, expression: string): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', step] = part.split('/');
    const [low, high] = bounds(range, field, step !== undefined);
    const by = step === undefined ? 1 : Number(step);
    const ok = low >= field.min && high <= field.max && low <= high && Number.isInteger(by) && by > 0;
    // Also refuses NaN. L, W and # are not understood.
    if (!ok) throw unreadable(expression);
    for (let value = low; value <= high; value += by) values.add(value);
  }
  return new Set([...values].toSorted((a, b) => a - b));
}

function bounds(range: string, field: Field, stepped: boolean): [number, number] {
  if (range === '*' || range === '?') return [field.min, field.max];
  const [low = '', high] = range.split('-');
  const from = numberOf(low, field);
  if (high !== undefined) return [from, numberOf(high, field)];
  return [from, stepped ? field.max : from];
}

function numberOf(text: string, field: Field): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.min;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

function unreadable(expression: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `schedule expression ${expression} is not understood: rate(N minutes|hours|days) and cron with six fields are, ` +
      'without L, W and #. The embedded stack was not started.',
  );
}
