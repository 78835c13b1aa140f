// Who goes next (spec/updates.md section 6). Groups of batch and variable batch have fixed places in the order of
// instances, whatever happens meanwhile; so the way back can retrace exactly the groups of the way forward.
import type { UpdateStrategy } from '../../model/update.ts';

/** A run of positions in the order of instances: start inclusive, end exclusive. */
export interface Group {
  readonly start: number;
  readonly end: number;
}

/**
 * The next instances on the way forward, empty if none may start yet. `visited`: how many have started;
 * `working`: how many of them are not done; `total`: how many there are.
 */
export function nextGroup(
  strategy: UpdateStrategy,
  at: { readonly visited: number; readonly working: number; readonly total: number },
): Group {
  const { visited, working, total } = at;
  const room =
    strategy.kind === 'queue'
      ? strategy.groupSize - working
      : working > 0
        ? 0
        : groupAt(strategy, visited).end - visited;
  return { start: visited, end: Math.min(total, visited + Math.max(0, room)) };
}

/**
 * The next instances on the way back, to be taken from the end of the group to its start. `left`: how many of those
 * visited on the way forward have not had their turn on the way back.
 */
export function nextGroupBack(
  strategy: UpdateStrategy,
  at: { readonly left: number; readonly working: number },
): Group {
  const { left, working } = at;
  if (strategy.kind === 'queue') {
    return { start: Math.max(0, left - Math.max(0, strategy.groupSize - working)), end: left };
  }
  return working > 0 || left === 0
    ? { start: left, end: left }
    : { start: groupAt(strategy, left - 1).start, end: left };
}

/** The most instances that may be down for the update's sake while the group of a position is worked on. */
export function groupLimit(strategy: UpdateStrategy, position: number): number {
  if (strategy.kind === 'queue') return strategy.groupSize;
  const { start, end } = groupAt(strategy, position);
  return end - start;
}

/** Does the update pause by itself before the group that starts at a position? */
export function pausesBefore(strategy: UpdateStrategy, start: number): boolean {
  return strategy.kind !== 'queue' && strategy.autoPause && start > 0;
}

/** The group that a position belongs to, as if the order had no end. */
export function groupAt(strategy: Exclude<UpdateStrategy, { kind: 'queue' }>, position: number): Group {
  const sizes = strategy.kind === 'batch' ? [strategy.groupSize] : strategy.groupSizes;
  let start = 0;
  for (const size of sizes) {
    if (position < start + size) return { start, end: start + size };
    start += size;
  }
  const last = sizes.at(-1) ?? 1;
  start += Math.floor((position - start) / last) * last;
  return { start, end: start + last };
}
