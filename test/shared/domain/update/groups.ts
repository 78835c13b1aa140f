// Groups of instances of an update, counted out plainly and apart from the product, for the checkers of updates.
import type { UpdateStrategy } from '../../../../shared/model/update.ts';

/** The number of the group that a position is in, by counting. */
export function groupNumber(strategy: UpdateStrategy, position: number): number {
  const sizes = strategy.kind === 'varBatch' ? strategy.groupSizes : [strategy.groupSize];
  let end = 0;
  for (let group = 0; ; group++) {
    end += sizes[Math.min(group, sizes.length - 1)] ?? 1;
    if (position < end) return group;
  }
}

/** The size of the group of a position, or of the largest one. */
export function largestGroup(strategy: UpdateStrategy, position = -1): number {
  if (strategy.kind !== 'varBatch') return strategy.groupSize;
  if (position < 0) return Math.max(...strategy.groupSizes);
  const group = Math.min(groupNumber(strategy, position), strategy.groupSizes.length - 1);
  return strategy.groupSizes[group] ?? 1;
}
