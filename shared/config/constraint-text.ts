// Constraints as they are written in a job file: `a`, `a,b`, `!a`, `limit:N` (spec/scheduling.md section 3).
import type { Constraint } from '../model/task-config.ts';

/** The parsed constraint, or what is wrong with the text. */
export function parseConstraint(attribute: string, text: string): Constraint | { readonly error: string } {
  const limit = /^limit:(.*)$/s.exec(text.trim());
  if (limit !== null) {
    const count = /^\s*(\d{1,9})\s*$/.exec(limit[1] as string)?.[1];
    if (count === undefined || Number(count) < 1)
      return { error: 'limit: takes a whole number of at least 1' };
    return { kind: 'limit', attribute, limit: Number(count) };
  }
  const negated = text.trim().startsWith('!');
  const values = (negated ? text.trim().slice(1) : text).split(',').map((value) => value.trim());
  if (values.some((value) => value === '')) return { error: 'a value is missing' };
  if (values.some((value) => value.startsWith('!')))
    return { error: 'one ! at the beginning negates the whole list' };
  if (values.length > 64 || values.some((value) => value.length > 255)) {
    return { error: 'at most 64 values of at most 255 characters' };
  }
  return { kind: 'value', attribute, negated, values: [...new Set(values)] };
}
