// One change of a stored update by a call: read, change, let the job follow, write on condition that nobody was first.
import { followUpdate, sparedInstances } from '../../shared/domain/update/follow-job.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { type ConfiguredInstances, isTerminalUpdate, type UpdateRecord } from '../../shared/model/update.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { JobWrite, Store } from '../../shared/store/port.ts';

export interface ChangeUpdateDeps {
  readonly store: Pick<Store, 'getUpdate' | 'getJob' | 'writeUpdate' | 'listTasks'>;
  readonly clock: Clock;
}

const maxTries = 10;
const readsAtOnce = 8;

/**
 * The update after `change` (such as `applyCall`), which may be called again with a newer record, and may throw. What
 * follows from it is the stream's to start (design D1). NOT_FOUND if there is no such update; CONFLICT if it keeps
 * changing meanwhile.
 */
export async function changeUpdate(
  key: JobKey,
  updateId: string,
  change: (update: UpdateRecord, now: number) => UpdateRecord,
  deps: ChangeUpdateDeps,
): Promise<UpdateRecord> {
  for (let tries = 0; tries < maxTries; tries++) {
    const before = await deps.store.getUpdate(key, updateId);
    if (!before) {
      throw new BorealisError(
        'NOT_FOUND',
        `Update does not exist: ${updateId} of job ${jobPath(key)}. Nothing was changed; list the job's updates.`,
      );
    }
    const now = deps.clock();
    const next = change(before.update, now);
    if (next === before.update) return next;
    // Only an end lets the job go; any other call leaves it as it is.
    const job = isTerminalUpdate(next.status) ? await jobAfter(key, next, now, deps) : undefined;
    const outcome = await deps.store.writeUpdate({ before, next, now, ...(job && { job }) });
    if (outcome.kind === 'committed') return outcome.stored.update;
  }
  throw new BorealisError(
    'CONFLICT',
    `update ${updateId} keeps changing at this moment; it is unchanged by this request. Try again.`,
  );
}

async function jobAfter(
  key: JobKey,
  next: UpdateRecord,
  now: number,
  { store }: ChangeUpdateDeps,
): Promise<JobWrite | undefined> {
  const job = await store.getJob(key);
  const followed = job && followUpdate(job, next, now, await readSpared(next, store));
  if (!followed || followed === job) return undefined;
  const { specVersion, reconciledVersion } = job;
  return { next: followed, expected: { specVersion, reconciledVersion } };
}

/** Conditional on the record as it is, so nothing of it can have been taken down since. */
async function readSpared(
  update: UpdateRecord,
  store: Pick<Store, 'listTasks'>,
): Promise<ConfiguredInstances[]> {
  const turns = update.progress.working.flatMap(({ instances }) => instances);
  // What cannot be read is not known to have been spared.
  const rows = await mapLimit(turns, readsAtOnce, (range) => store.listTasks(update, range, () => {}));
  const byInstance = Map.groupBy(rows.flat(), ({ instance }) => instance);
  return sparedInstances(
    update,
    [...byInstance].map(([instance, tasks]) => ({ instance, tasks })),
  );
}
