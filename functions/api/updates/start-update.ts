// POST .../updates: works the update out and writes it together with the job that names it. The updater carries it out.
import { desiredInstances } from '../../../shared/domain/job/desired.ts';
import { jobUnderUpdate } from '../../../shared/domain/update/follow-job.ts';
import { classesOf, instancesOf } from '../../../shared/domain/update/order.ts';
import { newUpdateId } from '../../../shared/domain/update/update-id.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import { countInstances, subtractInstances } from '../../../shared/model/instance-ranges.ts';
import { type JobKey, jobPath } from '../../../shared/model/job-key.ts';
import type { UpdateRecord } from '../../../shared/model/update.ts';
import type { ClientToken, JobWrite } from '../../../shared/store/port.ts';
import { clientToken, tokenReused } from '../client-token.ts';
import type { ChangeDeps, ResourceHandler } from '../context.ts';
import { type PreparedUpdate, prepareUpdate } from './prepare-update.ts';
import { updateView } from './views.ts';

/** Tries when the job changes while it is looked at. */
const maxTries = 5;
/** A repeated request is looked for among so many of the job's newest updates. */
const replaysAmong = 10;

export const startUpdate: ResourceHandler<'startUpdate', ChangeDeps> = async (request, deps) => {
  const { params: key, user } = request;
  const { message, metadata, ...body } = request.body;
  const token = clientToken(request.headers, { key, body: request.body });
  for (let tries = 0; tries < maxTries; tries++) {
    const earlier = token && (await earlierStart(key, token, deps));
    if (earlier) return replayed(earlier, deps);
    const now = deps.clock();
    const updateId = newUpdateId(now, deps.ids);
    const prepared = await prepareUpdate({ key, body, updateId, token, user, message, metadata, now }, deps);
    const { update, diff } = prepared.plan;
    if (!update) return { update: null, diff, message: 'Job is unchanged by proposed update.' };
    if (await created(prepared, update, deps)) {
      deps.log.info('update started', { job: jobPath(key), updateId, kind: update.kind, user });
      return { update: updateView(update, deps.cluster), diff, message: startedText(update) };
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `job ${jobPath(key)} is being changed by others at this moment; nothing was started. Try again.`,
  );
};

/** False if the job is not as it was read any more. */
async function created(
  { job, configOf }: PreparedUpdate,
  update: UpdateRecord,
  deps: ChangeDeps,
): Promise<boolean> {
  const next = jobUnderUpdate({ job, update, cluster: deps.cluster, now: update.createdAt });
  const write: JobWrite = job
    ? { next, expected: { specVersion: job.specVersion, reconciledVersion: job.reconciledVersion } }
    : { next };
  const configs = new Map(update.desired.map(({ configId }) => [configId, configOf(configId)]));
  const outcome = await deps.store.createUpdate({ update, job: write, configs });
  return outcome.kind === 'created';
}

async function earlierStart(
  key: JobKey,
  token: ClientToken,
  deps: ChangeDeps,
): Promise<UpdateRecord | undefined> {
  const { items } = await deps.store.listJobUpdates(key, { limit: replaysAmong });
  const earlier = items.find((update) => update.token?.value === token.value);
  if (earlier && earlier.token?.requestHash !== token.requestHash) throw tokenReused();
  return earlier;
}

async function replayed(update: UpdateRecord, deps: ChangeDeps) {
  const job = await deps.store.getJob(update);
  const touched = instancesOf([...update.initial, ...update.desired]);
  const unchanged = job ? subtractInstances(desiredInstances(job), touched) : [];
  const view = updateView(update, deps.cluster);
  return { update: view, diff: { ...classesOf(update), unchanged }, message: startedText(update) };
}

function startedText(update: UpdateRecord): string {
  const touched = countInstances(instancesOf([...update.initial, ...update.desired]));
  return `update ${update.updateId} of ${touched} instances is accepted`;
}
