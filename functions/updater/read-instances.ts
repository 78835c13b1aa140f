// The instances an update has to see. Of a small job all are read; of a larger one those whose turn it is or may come,
// those that a message said have changed, those that the record knows to be down, and those that were down when the
// whole job was last looked at. So a step of an update of 10,000 instances reads what it works on and not 10,000 rows.
// The look at the whole job is for messages that were lost: what they said is seen half a minute later, or as many times
// 30 ms as the job has instances.

import type { InstanceView } from '../../shared/domain/update/newest-task.ts';
import { isUp } from '../../shared/domain/update/newest-task.ts';
import { evaluationScope } from '../../shared/domain/update/scope.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import {
  containsInstance,
  countInstances,
  listInstances,
  toInstanceRanges,
} from '../../shared/model/instance-ranges.ts';
import type { Job } from '../../shared/model/job.ts';
import type { InstanceRange } from '../../shared/model/job-key.ts';
import type { Task } from '../../shared/model/task.ts';
import type { UpdateRecord } from '../../shared/model/update.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';

/** Jobs up to this span are read whole every time: one request. */
const smallSpan = 100;
const leastSnapshotLifeMs = 30_000;
/** The larger the job, the longer a look at all of it is good for, so that it costs the same however long the update. */
const snapshotLifeMsPerInstance = 30;
/** A look at the whole job may take at most this share of the time, however slow the store is. */
const snapshotShare = 20;
/** Instances that are down beyond this many are counted, but not read again. */
const maxDownRead = 1000;
/** Two ranges with no more instances than this between them are read as one. */
const maxGap = 20;
const readsAtOnce = 8;
const snapshotsKept = 200;

/** `tasks`: all rows read, by id. `othersDown`: known to be down, and not among `views`. */
export interface InstancesRead {
  readonly views: readonly InstanceView[];
  readonly tasks: ReadonlyMap<string, Task>;
  readonly othersDown: number;
  /** Is this the whole job? */
  readonly isWhole: boolean;
}

export type InstanceReader = (
  job: Job,
  update: UpdateRecord,
  hints: readonly number[],
) => Promise<InstancesRead>;

interface Snapshot {
  readonly at: number;
  readonly tookMs: number;
  readonly down: readonly number[];
}

/** A reader that remembers, for this process, which instances of large jobs were down. */
export function createInstanceReader(store: Pick<Store, 'listTasks'>, clock: Clock): InstanceReader {
  const snapshots = new Map<string, Snapshot>();
  const read = async (job: Job, ranges: readonly InstanceRange[]): Promise<Task[]> => {
    const rows = await mapLimit(closeGaps(ranges), readsAtOnce, (range) => store.listTasks(job, range));
    return rows.flat();
  };
  const snapshotOf = async (
    job: Job,
    scope: readonly InstanceRange[],
    updateId: string,
  ): Promise<Snapshot> => {
    const known = snapshots.get(updateId);
    const now = clock();
    if (known && now - known.at < lifeOf(job, known)) return known;
    const { views } = viewsOf(await read(job, scope), scope);
    const down = views.filter(({ tasks }) => !isUp(tasks)).map(({ instance }) => instance);
    const [oldest] = snapshots.keys();
    if (snapshots.size >= snapshotsKept && oldest !== undefined) snapshots.delete(oldest);
    const snapshot = { at: now, tookMs: clock() - now, down };
    snapshots.set(updateId, snapshot);
    return snapshot;
  };
  return async (job, update, hints) => {
    const { all, needed } = evaluationScope(job, update);
    if (job.instanceSpan <= smallSpan)
      return { ...viewsOf(await read(job, all), all), othersDown: 0, isWhole: true };
    const { down } = await snapshotOf(job, all, update.updateId);
    const known = [...hints, ...listInstances(update.progress.down ?? []), ...down.slice(0, maxDownRead)];
    const within = known.filter((instance) => containsInstance(all, instance));
    const wanted = toInstanceRanges([...listInstances(needed), ...within]);
    return {
      ...viewsOf(await read(job, wanted), wanted),
      othersDown: Math.max(0, down.length - maxDownRead),
      isWhole: false,
    };
  };
}

function lifeOf({ instanceSpan }: Job, { tookMs }: Snapshot): number {
  return Math.max(leastSnapshotLifeMs, snapshotLifeMsPerInstance * instanceSpan, snapshotShare * tookMs);
}

/** One view for every instance asked for, also for those without a row. */
function viewsOf(
  rows: readonly Task[],
  ranges: readonly InstanceRange[],
): Pick<InstancesRead, 'views' | 'tasks'> {
  const byInstance = Map.groupBy(rows, ({ instance }) => instance);
  const views = listInstances(ranges).map((instance) => ({
    instance,
    tasks: byInstance.get(instance) ?? [],
  }));
  return { views, tasks: new Map(rows.map((task) => [task.taskId, task])) };
}

function closeGaps(ranges: readonly InstanceRange[]): InstanceRange[] {
  if (countInstances(ranges) === 0) return [];
  const closed: InstanceRange[] = [];
  for (const [low, high] of ranges) {
    const last = closed.at(-1);
    if (last && low - last[1] <= maxGap + 1) last[1] = Math.max(last[1], high);
    else closed.push([low, high]);
  }
  return closed;
}
