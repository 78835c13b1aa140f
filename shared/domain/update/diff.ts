// What an update has to do: the configs that run now against the ones asked for (spec/updates.md section 3). Configs
// are compared by id, which is a hash of all they say.
import { BorealisError } from '../../lib/errors.ts';
import {
  formatInstances,
  intersectInstances,
  normaliseInstances,
  subtractInstances,
} from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import type { ConfiguredInstances } from '../../model/update.ts';
import { instancesOf } from './order.ts';

export interface JobDiff {
  readonly add: InstanceRange[];
  readonly remove: InstanceRange[];
  /** Ended and created again, since their config differs. */
  readonly update: InstanceRange[];
  /** Left alone. */
  readonly unchanged: InstanceRange[];
}

/**
 * Compares the config of each ACTIVE instance with the ones proposed for the whole job. With `only`, the other
 * instances are left out; INVALID_REQUEST if it names instances that are in neither.
 */
export function diffJob(
  current: readonly ConfiguredInstances[],
  proposed: readonly ConfiguredInstances[],
  only?: readonly InstanceRange[],
): JobDiff {
  const before = instancesOf(current);
  const after = instancesOf(proposed);
  const unchanged = normaliseInstances(
    proposed.flatMap(({ configId, instances }) =>
      current
        .filter((one) => one.configId === configId)
        .flatMap((one) => intersectInstances(one.instances, instances)),
    ),
  );
  const diff = {
    add: subtractInstances(after, before),
    remove: subtractInstances(before, after),
    update: subtractInstances(intersectInstances(before, after), unchanged),
    unchanged,
  };
  return only === undefined ? diff : narrowed(diff, only, [...before, ...after]);
}

function narrowed(diff: JobDiff, only: readonly InstanceRange[], known: readonly InstanceRange[]): JobDiff {
  const strangers = subtractInstances(only, known);
  if (strangers.length > 0) {
    throw new BorealisError(
      'INVALID_REQUEST',
      `instances ${formatInstances(strangers).slice(0, 200)} are neither in the job nor in what is proposed for it, so they cannot be updated. Nothing was changed. Name instances of the job.`,
      { details: { instances: strangers } },
    );
  }
  return {
    add: intersectInstances(diff.add, only),
    remove: intersectInstances(diff.remove, only),
    update: intersectInstances(diff.update, only),
    unchanged: diff.unchanged,
  };
}

/** Is there nothing to do? */
export function isUnchanged({ add, remove, update }: JobDiff): boolean {
  return add.length + remove.length + update.length === 0;
}

/** The part of a config assignment that concerns the given instances. */
export function restrictTo(
  configured: readonly ConfiguredInstances[],
  instances: readonly InstanceRange[],
): ConfiguredInstances[] {
  return configured
    .map(({ configId, instances: all }) => ({ configId, instances: intersectInstances(all, instances) }))
    .filter(({ instances: kept }) => kept.length > 0);
}
