// From what a caller wants of a job (other configs, a restart, more or fewer instances) to the configs of the whole job
// as it shall be, which is what an update starts from.
//
// A restart is an update to the same configs under another id: `<content id>.<n>`, the smallest n that is not in use
// (0 is the plain content id). So the engine needs no notion of a restart, and a job whose instances were restarted
// still compares equal to the file they came from, because ids are compared without the number.
import { BorealisError } from '../../lib/errors.ts';
import {
  formatInstances,
  intersectInstances,
  listInstances,
  normaliseInstances,
  subtractInstances,
  toInstanceRanges,
} from '../../model/instance-ranges.ts';
import type { DesiredRange, Job } from '../../model/job.ts';
import { type InstanceRange, jobPath } from '../../model/job-key.ts';
import type { ConfiguredInstances, UpdateKind } from '../../model/update.ts';
import { desiredInstances, addInstances as withAdded } from '../job/desired.ts';
import { restrictTo } from './diff.ts';
import { instancesOf } from './order.ts';

/** A change of a job that exists; a replacement brings its own configs (see `adoptCopies`). */
export type JobEdit =
  | { readonly kind: 'restart' }
  | { readonly kind: 'add'; readonly count: number; readonly template?: number | undefined }
  | {
      readonly kind: 'remove';
      readonly instances?: readonly InstanceRange[] | undefined;
      readonly count?: number | undefined;
    };

export interface Proposal {
  readonly kind: UpdateKind;
  readonly proposed: ConfiguredInstances[];
  /** Only these instances are touched; absent = all. */
  readonly only?: readonly InstanceRange[];
}

/** Id of the content of a config, without the number of the restart. */
export function contentOf(configId: string): string {
  return configId.split('.', 1)[0] ?? configId;
}

/** The proposed configs, an instance that runs a restarted copy of its config keeping that. */
export function adoptCopies(
  proposed: readonly ConfiguredInstances[],
  current: readonly ConfiguredInstances[],
): ConfiguredInstances[] {
  return proposed.flatMap((asked) => {
    const copies = current
      .filter(({ configId }) => configId !== asked.configId && contentOf(configId) === asked.configId)
      .map(({ configId, instances }) => ({
        configId,
        instances: intersectInstances(instances, asked.instances),
      }));
    const rest = subtractInstances(asked.instances, instancesOf(copies));
    return [{ configId: asked.configId, instances: rest }, ...copies].filter(
      ({ instances }) => instances.length > 0,
    );
  });
}

/**
 * The job as an edit wants it. `current`: the config of each instance with an active task; `only`: narrows a restart.
 * INVALID_REQUEST if it names instances the job does not have, CONFLICT if the job has an active update.
 */
export function proposeEdit(
  job: Job,
  edit: JobEdit,
  current: readonly ConfiguredInstances[],
  only: readonly InstanceRange[] | undefined,
  now: number,
): Proposal {
  switch (edit.kind) {
    case 'restart':
      return restart(job, current, only);
    case 'add': {
      const next = withAdded(job, edit.count, edit.template ?? highestOf(job), now);
      const added = subtractInstances(desiredInstances(next), desiredInstances(job));
      return { kind: 'add', proposed: byConfig(next), only: added };
    }
    case 'remove': {
      const removed = removedBy(job, edit);
      const left = subtractInstances(desiredInstances(job), removed);
      return { kind: 'remove', proposed: restrictTo(byConfig(job), left), only: removed };
    }
  }
}

function restart(
  job: Job,
  current: readonly ConfiguredInstances[],
  only: readonly InstanceRange[] | undefined,
): Proposal {
  const desired = desiredInstances(job);
  const active = intersectInstances(instancesOf(current), desired);
  const asked = only === undefined ? active : normaliseInstances(only);
  const idle = subtractInstances(asked, active);
  if (idle.length > 0) {
    throw refused(
      `instances ${clip(formatInstances(idle))} of job ${jobPath(job)} are not active, so nothing is restarted`,
      'Name active instances only.',
    );
  }
  const used = new Set([...job.desired, ...current].map(({ configId }) => configId));
  const copies = restrictTo(current, asked).flatMap(({ configId, instances }) =>
    instances.map((range) => ({ configId: unusedCopy(configId, used), instances: range })),
  );
  const rest = restrictTo(byConfig(job), subtractInstances(desired, asked));
  return { kind: 'restart', proposed: [...rest, ...byConfig({ desired: copies })], only: asked };
}

/** Different copies of one config get the same fresh one: no instance of either runs it yet. */
function unusedCopy(configId: string, used: ReadonlySet<string>): string {
  const content = contentOf(configId);
  for (let n = 0; ; n++) {
    const id = n === 0 ? content : `${content}.${n}`;
    if (!used.has(id)) return id;
  }
}

function highestOf(job: Job): number {
  const highest = desiredInstances(job).at(-1)?.[1];
  if (highest !== undefined) return highest;
  throw refused(
    `job ${jobPath(job)} has no instances whose config could be copied`,
    'Submit the job again instead.',
  );
}

function removedBy(
  job: Job,
  { instances, count = 0 }: Extract<JobEdit, { kind: 'remove' }>,
): InstanceRange[] {
  const desired = desiredInstances(job);
  if (instances === undefined) return toInstanceRanges(listInstances(desired).slice(-count));
  const strangers = subtractInstances(instances, desired);
  if (strangers.length === 0) return normaliseInstances(instances);
  throw refused(
    `instances ${clip(formatInstances(strangers))} are not part of job ${jobPath(job)}`,
    `It has ${clip(formatInstances(desired)) || 'none'}.`,
  );
}

/** Ranges and their configs, each config once. */
function byConfig({
  desired,
}: {
  readonly desired: readonly Pick<DesiredRange, 'configId' | 'instances'>[];
}): ConfiguredInstances[] {
  return Array.from(
    Map.groupBy(desired, ({ configId }) => configId),
    ([configId, ranges]) => ({
      configId,
      instances: normaliseInstances(ranges.map(({ instances }) => instances)),
    }),
  );
}

function clip(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}...`;
}

function refused(problem: string, advice: string): BorealisError {
  return new BorealisError('INVALID_REQUEST', `${problem}. Nothing was started. ${advice}`);
}
