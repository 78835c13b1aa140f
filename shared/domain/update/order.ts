// In which order the instances of an update have their turn (spec/updates.md section 5): first those that are created,
// then those that are replaced, then those that are removed, ascending within each class. The way back goes through
// the same order from its end. A position is an index into this order.
import { intersectInstances, normaliseInstances, subtractInstances } from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import type { ConfiguredInstances, UpdateRecord } from '../../model/update.ts';

type Instructions = Pick<UpdateRecord, 'initial' | 'desired'>;

/** The three classes of the instances of an update. */
interface InstanceClasses {
  readonly add: InstanceRange[];
  readonly update: InstanceRange[];
  readonly remove: InstanceRange[];
}

/** Sorts the instances of the instructions into their classes. */
export function classesOf({ initial, desired }: Instructions): InstanceClasses {
  const before = instancesOf(initial);
  const after = instancesOf(desired);
  return {
    add: subtractInstances(after, before),
    update: intersectInstances(after, before),
    remove: subtractInstances(before, after),
  };
}

/** The order of the instances of an update, without a list of them: an update may have 100,000. */
export interface InstanceOrder {
  readonly length: number;
  /** The instances at the positions from `start` (inclusive) to `end` (exclusive). */
  readonly slice: (start: number, end: number) => number[];
  /** The same without a list of them, ascending. */
  readonly ranges: (start: number, end: number) => InstanceRange[];
  /** Where an instance has its turn; undefined = it is not part of the update. */
  readonly positionOf: (instance: number) => number | undefined;
}

/** The instances of the update, in the order of the way forward. */
export function orderOf(instructions: Instructions): InstanceOrder {
  const { add, update, remove } = classesOf(instructions);
  let length = 0;
  const runs = [...add, ...update, ...remove].map(([low, high]) => {
    const start = length;
    length += high - low + 1;
    return { start, low, high };
  });
  const partsOf = (start: number, end: number): InstanceRange[] =>
    runs.flatMap((run): InstanceRange[] => {
      const from = Math.max(start, run.start);
      const to = Math.min(end, run.start + run.high - run.low + 1);
      return from < to ? [[run.low + from - run.start, run.low + to - 1 - run.start]] : [];
    });
  return {
    length,
    slice: (start, end) =>
      partsOf(start, end).flatMap(([low, high]) =>
        Array.from({ length: high - low + 1 }, (_none, i) => low + i),
      ),
    ranges: (start, end) => normaliseInstances(partsOf(start, end)),
    positionOf: (instance) => {
      const run = runs.find(({ low, high }) => low <= instance && instance <= high);
      return run && run.start + instance - run.low;
    },
  };
}

/** Every instance that has a config. */
export function instancesOf(configured: readonly ConfiguredInstances[]): InstanceRange[] {
  return normaliseInstances(configured.flatMap(({ instances }) => instances));
}

/** A lookup of the config of an instance; undefined = it shall not exist. */
export function configLookup(
  configured: readonly ConfiguredInstances[],
): (instance: number) => string | undefined {
  const ranges = configured
    .flatMap(({ configId, instances }) => instances.map(([low, high]) => ({ low, high, configId })))
    .sort((a, b) => a.low - b.low);
  return (instance) => {
    let [from, to] = [0, ranges.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((ranges[middle]?.high ?? 0) < instance) from = middle + 1;
      else to = middle;
    }
    const found = ranges[from];
    return found !== undefined && found.low <= instance ? found.configId : undefined;
  };
}

/** The given instances by config, each config once, in order of their first instance. */
export function groupByConfig(
  instances: readonly { readonly instance: number; readonly configId: string }[],
): ConfiguredInstances[] {
  const sorted = instances.toSorted((a, b) => a.instance - b.instance);
  return Array.from(
    Map.groupBy(sorted, ({ configId }) => configId),
    ([configId, members]) => ({
      configId,
      instances: normaliseInstances(members.map(({ instance }): InstanceRange => [instance, instance])),
    }),
  );
}
