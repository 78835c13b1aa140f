// The batches of an update, for people: which instances have their turn together, and how far each batch is. A queue
// has no batches; it is cut into groups of its size so that its progress can be shown the same way.
import {
  countInstances,
  intersectInstances,
  listInstances,
  toInstanceRanges,
} from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import { isTerminalUpdate, type UpdateRecord, type UpdateStrategy } from '../../model/update.ts';
import { type InstanceOrder, orderOf } from './order.ts';
import { progressOf } from './progress.ts';
import { isGoingBack } from './status-machine.ts';
import { type Group, groupAt } from './strategy.ts';

/** How many instances are where in the present direction. */
export interface ProgressCounts {
  readonly total: number;
  readonly waiting: number;
  readonly working: number;
  readonly done: number;
  readonly failed: number;
}

interface Batch extends ProgressCounts {
  /** From 1, in the order of the way forward. */
  readonly number: number;
  readonly instances: InstanceRange[];
}

export interface BatchView {
  /** Number of batches of the way forward. */
  readonly count: number;
  /** The batch that is worked on or comes next in the present direction; absent when none is left. */
  readonly current: Batch | undefined;
  /** Up to `most` batches in order, the current one among them. */
  readonly list: Batch[];
}

/** The batches of an update with their progress. */
export function batchesOf(update: UpdateRecord, most: number): BatchView {
  const order = orderOf(update);
  const groups = groupsOf(update.settings.strategy, order.length);
  const position = nextPosition(update, order);
  const at = position === undefined ? -1 : groups.findIndex(({ end }) => position < end);
  const centre = at >= 0 ? at : isGoingBack(update.status) ? 0 : groups.length - 1;
  const from = Math.max(0, Math.min(centre - Math.floor(most / 2), groups.length - most));
  const progress = progressOf(update);
  const list = groups.slice(from, from + most).map(({ start, end }, index): Batch => {
    const instances = toInstanceRanges(order.slice(start, end));
    const within = (ranges: readonly InstanceRange[]) =>
      countInstances(intersectInstances(ranges, instances));
    return {
      number: from + index + 1,
      instances,
      total: countInstances(instances),
      waiting: within(progress.waiting),
      working: within(progress.working),
      done: within(progress.done),
      failed: within(progress.failed),
    };
  });
  return { count: groups.length, current: at >= 0 ? list[at - from] : undefined, list };
}

/** The groups of positions that have their turn together on the way forward. */
export function groupsOf(strategy: UpdateStrategy, total: number): Group[] {
  const fixed =
    strategy.kind === 'queue'
      ? ({ kind: 'batch', groupSize: strategy.groupSize, autoPause: false } as const)
      : strategy;
  const groups: Group[] = [];
  for (let start = 0; start < total; ) {
    const { end } = groupAt(fixed, start);
    groups.push({ start, end: Math.min(end, total) });
    start = end;
  }
  return groups;
}

/** Where in the order the update works, or goes on; undefined = nowhere any more. */
function nextPosition(update: UpdateRecord, order: InstanceOrder): number | undefined {
  if (isTerminalUpdate(update.status)) return undefined;
  const { visited, revisited, working } = update.progress;
  const busy = working
    .flatMap(({ instances }) => listInstances(instances))
    .map((instance) => order.positionOf(instance) ?? 0);
  if (isGoingBack(update.status)) {
    const last = Math.max(visited - revisited - 1, ...busy);
    return last < 0 ? undefined : last;
  }
  const first = Math.min(visited, ...busy);
  return first >= order.length ? undefined : first;
}

/** The counts of an update in its present direction. On the way back only what was visited counts. */
export function progressCounts(update: UpdateRecord): ProgressCounts {
  const { visited, revisited, working: turns, failed: lost } = update.progress;
  const back = isGoingBack(update.status);
  const total = back ? visited : orderOf(update).length;
  const begun = back ? revisited : visited;
  const working = countInstances(turns.flatMap(({ instances }) => instances));
  const failed = countInstances(lost);
  return { total, waiting: total - begun, working, done: begun - working - failed, failed };
}
