// What nobody needs any more: ended tasks beyond what a job may keep, the configs of jobs that are gone, and in some days
// the row of a job that has ended. Rows of ended tasks go by themselves after two days anyway; this bounds what a job
// that fails again and again leaves until then.
import { type HistoryLimits, surplusHistory } from '../../shared/domain/task/history.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Log } from '../ports.ts';

export interface PruneDeps {
  readonly store: Pick<Store, 'listTasks' | 'dropHistory' | 'dropConfigs'>;
  readonly history: HistoryLimits;
  readonly clock: Clock;
  readonly log: Log;
}

/** Instances that are looked at together: one partition of tasks. */
export const prunedTogether = 250;
/** So that a look never takes long; the next one goes on. */
const mostAtOnce = 500;

/** Looks at the partition that holds this instance. */
export async function pruneHistory(key: JobKey, instance: number, deps: PruneDeps): Promise<void> {
  const low = Math.floor(instance / prunedTogether) * prunedTogether;
  // What cannot be read stays, and is told of elsewhere.
  const tasks = await deps.store.listTasks(key, [low, low + prunedTogether - 1], () => {});
  const surplus = surplusHistory(tasks, deps.clock(), deps.history).slice(0, mostAtOnce);
  if (surplus.length === 0) return;
  const pruned = await deps.store.dropHistory(surplus);
  deps.log.info('history beyond what a job may keep was removed', { job: jobPath(key), pruned });
}

export async function dropConfigs(key: JobKey, { store, log }: PruneDeps): Promise<void> {
  const dropped = await store.dropConfigs(key);
  if (dropped > 0) log.info('the configs of a job that is gone were removed', { job: jobPath(key), dropped });
}
