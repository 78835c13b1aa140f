// The update a request means: by its id, or `active` or `latest`.
import { BorealisError } from '../../../shared/lib/errors.ts';
import { type JobKey, jobPath } from '../../../shared/model/job-key.ts';
import type { UpdateRecord } from '../../../shared/model/update.ts';
import type { Store } from '../../../shared/store/port.ts';

type Reads = Pick<Store, 'getJob' | 'getUpdate' | 'listJobUpdates'>;

/** NOT_FOUND says which updates there are to look at. */
export async function findUpdate(store: Reads, key: JobKey, named: string): Promise<UpdateRecord> {
  const found = await lookUp(store, key, named);
  if (found) return found;
  if (named === 'active') {
    throw notFound(`No active update found for job ${jobPath(key)}`, 'See the ended ones');
  }
  if (named === 'latest') throw notFound(`job ${jobPath(key)} has no updates`, 'Look at other jobs');
  throw notFound(`Update does not exist: ${named} of job ${jobPath(key)}`, 'See those of the job');
}

async function lookUp(store: Reads, key: JobKey, named: string): Promise<UpdateRecord | undefined> {
  if (named === 'latest') return (await store.listJobUpdates(key, { limit: 1 })).items[0];
  const updateId = named === 'active' ? (await store.getJob(key))?.updateId : named;
  return updateId === undefined ? undefined : (await store.getUpdate(key, updateId))?.update;
}

function notFound(problem: string, advice: string): BorealisError {
  return new BorealisError(
    'NOT_FOUND',
    `${problem}. Nothing was changed. ${advice}: \`borealis update list\`.`,
  );
}
