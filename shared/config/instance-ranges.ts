// Instance numbers as people write them (`0-2,5`, spec/client-and-ui.md section 1) and as sorted, disjoint ranges.
import { BorealisError } from '../lib/errors.ts';
import { maxInstances } from '../model/job.ts';
import type { InstanceRange } from '../model/job-key.ts';

/** Sorted, without overlaps, neighbours joined. */
export function normaliseRanges(ranges: readonly InstanceRange[]): InstanceRange[] {
  const merged: InstanceRange[] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** What is in normalised `ranges` but not in normalised `without`. */
export function subtractRanges(
  ranges: readonly InstanceRange[],
  without: readonly InstanceRange[],
): InstanceRange[] {
  const left: InstanceRange[] = [];
  for (const [from, to] of ranges) {
    let next = from;
    for (const [start, end] of without) {
      if (end < next || start > to) continue;
      if (start > next) left.push([next, start - 1]);
      next = end + 1;
    }
    if (next <= to) left.push([next, to]);
  }
  return left;
}

/** Number of instances in normalised ranges. */
export function countInstances(ranges: readonly InstanceRange[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

/** `0-2,5`; empty text for no ranges. */
export function formatRanges(ranges: readonly InstanceRange[]): string {
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/**
 * Parses `0-2,5` to normalised ranges. Throws INVALID_REQUEST naming the part that is wrong: not a number, a reversed
 * range, or an instance number a job cannot have.
 */
export function parseRanges(text: string): InstanceRange[] {
  const ranges = text.split(',').map((part): InstanceRange => {
    const match = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part);
    if (match === null) {
      throw rangeError(part, 'is not an instance number or a range; write for example 0-2,5');
    }
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (to < from) throw rangeError(part, `is reversed; write ${to}-${from}`);
    if (to >= maxInstances)
      throw rangeError(part, `is beyond the largest instance number ${maxInstances - 1}`);
    return [from, to];
  });
  return normaliseRanges(ranges);
}

function rangeError(part: string, what: string): BorealisError {
  const shown = JSON.stringify(part.trim().slice(0, 40));
  return new BorealisError('INVALID_REQUEST', `instances: ${shown} ${what}`, { details: { part } });
}
