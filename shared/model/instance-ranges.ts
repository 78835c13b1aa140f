// Sets of instance numbers as sorted, disjoint, inclusive ranges: how people write them ("0-2,5") and the arithmetic.

import { maxInstances } from './job.ts';
import type { InstanceRange } from './job-key.ts';

/** What `parseInstances` answers: the set, or what is wrong with the text, as a sentence without subject. */
export type ParsedInstances =
  | { readonly ranges: InstanceRange[]; readonly problem?: undefined }
  | { readonly problem: string; readonly ranges?: undefined };

/** Reads "0-2,5" (inclusive; order and overlap don't matter). Refuses reversed ranges and numbers out of bounds. */
export function parseInstances(text: string): ParsedInstances {
  const ranges: InstanceRange[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?$/.exec(part);
    if (!match) return { problem: `"${part.trim()}" is not an instance or a range; write e.g. 0-2,5` };
    const low = Number(match[1]);
    const high = Number(match[2] ?? match[1]);
    if (high < low) return { problem: `range ${low}-${high} is reversed; write ${high}-${low}` };
    if (high >= maxInstances) {
      return { problem: `instance ${high} is too large; the largest is ${maxInstances - 1}` };
    }
    ranges.push([low, high]);
  }
  return { ranges: normaliseInstances(ranges) };
}

/** Writes a set as "0-2,5", sorted; the empty set is "". */
export function formatInstances(ranges: readonly InstanceRange[]): string {
  return normaliseInstances(ranges)
    .map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`))
    .join(',');
}

/** The same set, sorted, with overlapping and touching ranges merged. Ranges must not be reversed. */
export function normaliseInstances(ranges: readonly InstanceRange[]): InstanceRange[] {
  const merged: InstanceRange[] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

/** Is the instance in the set? */
export function containsInstance(ranges: readonly InstanceRange[], instance: number): boolean {
  return ranges.some(([low, high]) => low <= instance && instance <= high);
}

/** How many instances the set has; overlapping ranges count once. */
export function countInstances(ranges: readonly InstanceRange[]): number {
  return normaliseInstances(ranges).reduce((sum, [low, high]) => sum + high - low + 1, 0);
}

/** The instances of `ranges` that are not in `removed`. One sweep over both, so thousands of ranges cost little. */
export function subtractInstances(
  ranges: readonly InstanceRange[],
  removed: readonly InstanceRange[],
): InstanceRange[] {
  const holes = normaliseInstances(removed);
  const left: InstanceRange[] = [];
  let next = 0;
  for (const [low, high] of normaliseInstances(ranges)) {
    let start = low;
    while ((holes[next]?.[1] ?? high) < low) next++;
    for (let at = next; at < holes.length; at++) {
      const [from, to] = holes[at] as InstanceRange;
      if (from > high) break;
      if (start < from) left.push([start, from - 1]);
      start = to + 1;
    }
    if (start <= high) left.push([start, high]);
  }
  return left;
}

/** The instances in both sets. */
export function intersectInstances(
  one: readonly InstanceRange[],
  other: readonly InstanceRange[],
): InstanceRange[] {
  return subtractInstances(one, subtractInstances(one, other));
}

/** The instances named more than once, within a range list as given; empty = the ranges don't overlap. */
export function overlappingInstances(ranges: readonly InstanceRange[]): InstanceRange[] {
  const twice: InstanceRange[] = [];
  let covered = -1;
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (low <= covered) twice.push([low, Math.min(high, covered)]);
    covered = Math.max(covered, high);
  }
  return normaliseInstances(twice);
}

/** Every instance of the set, ascending. */
export function listInstances(ranges: readonly InstanceRange[]): number[] {
  return normaliseInstances(ranges).flatMap(([low, high]) =>
    Array.from({ length: high - low + 1 }, (_none, index) => low + index),
  );
}

/** The set of the given instances, in any order, as ranges. */
export function toInstanceRanges(instances: Iterable<number>): InstanceRange[] {
  return normaliseInstances(Array.from(instances, (instance): InstanceRange => [instance, instance]));
}
