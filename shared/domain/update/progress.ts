// Reading an update's record: how far it is, for people; which config each of its instances should have by now, for
// the job's desired state; and the job as the update finds it.
import {
  countInstances,
  listInstances,
  subtractInstances,
  toInstanceRanges,
} from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import { isActive } from '../../model/task.ts';
import type { ConfiguredInstances, UpdateRecord } from '../../model/update.ts';
import { restrictTo } from './diff.ts';
import { type InstanceView, newestTask } from './newest-task.ts';
import { groupByConfig, instancesOf, orderOf } from './order.ts';
import { openPass } from './pass.ts';

/** Where the instances of an update are in its present direction; each is in one of the sets. */
export interface ProgressView {
  readonly direction: 'forward' | 'back';
  /** Their turn is still to come; on the way back: still to be put back. */
  readonly waiting: InstanceRange[];
  readonly working: InstanceRange[];
  readonly done: InstanceRange[];
  readonly failed: InstanceRange[];
  /** On the way back: never touched, so nothing is to be put back. */
  readonly untouched: InstanceRange[];
  /** Share of the direction's instances that are done or failed, 0 to 1. */
  readonly ratio: number;
}

/** How far an update is. */
export function progressOf(update: UpdateRecord): ProgressView {
  const { back, order, visited, revisited } = openPass(update);
  const working = toInstanceRanges(
    update.progress.working.flatMap(({ instances }) => listInstances(instances)),
  );
  const { failed } = update.progress;
  const [from, to] = back ? [visited - revisited, visited] : [0, visited];
  const had = toInstanceRanges(order.slice(from, to));
  const waiting = toInstanceRanges(back ? order.slice(0, from) : order.slice(to, order.length));
  const total = back ? visited : order.length;
  const settled = countInstances(had) - countInstances(working);
  return {
    direction: back ? 'back' : 'forward',
    waiting,
    working,
    done: subtractInstances(had, [...working, ...failed]),
    failed,
    untouched: back ? toInstanceRanges(order.slice(visited, order.length)) : [],
    ratio: total === 0 ? 1 : settled / total,
  };
}

/**
 * The configs that the update's instances should have by now: the ones asked for where it was their turn on the way
 * forward, the original ones elsewhere and where it was their turn on the way back. An instance in none is to be gone.
 */
export function configsByNow(update: UpdateRecord): ConfiguredInstances[] {
  const { visited, revisited } = update.progress;
  const order = orderOf(update);
  // By ranges, not one by one: this is asked at every step of an update of any size.
  const changed = order.ranges(0, visited - revisited);
  const others = subtractInstances(order.ranges(0, order.length), changed);
  const parts = [...restrictTo(update.desired, changed), ...restrictTo(update.initial, others)];
  return Array.from(
    Map.groupBy(parts, ({ configId }) => configId),
    ([configId, same]) => ({ configId, instances: instancesOf(same) }),
  ).sort((one, other) => firstOf(one) - firstOf(other));
}

function firstOf({ instances }: ConfiguredInstances): number {
  return instances[0]?.[0] ?? 0;
}

/** The config of each instance that has an active task (spec section 3, "current"). */
export function currentConfigs(instances: readonly InstanceView[]): ConfiguredInstances[] {
  return groupByConfig(
    instances.flatMap(({ instance, tasks }) => {
      const newest = newestTask(tasks);
      return newest && isActive(newest.state) ? [{ instance, configId: newest.configId }] : [];
    }),
  );
}
