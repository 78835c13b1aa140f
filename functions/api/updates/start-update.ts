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

export const startUpdate: ResourceHandler<'startUpdate', ChangeDeps> = async (request, deps) => {
  const { params: key, user } = request;
  const { message, metadata, ...body } = request.body;
  const token = clientToken(request.headers, { key, body: request.body });
  for (let tries = 0; tries < maxTries; tries++) {
    const earlier = token && (await deps.store.tokenUse(token.value));
    if (earlier && earlier.requestHash !== token?.requestHash) throw tokenReused();
    if (earlier) return replayed(key, earlier.updateId, deps);
    const now = deps.clock();
    const updateId = newUpdateId(now, deps.ids);
    const prepared = await prepareUpdate({ key, body, updateId, user, message, metadata, now }, deps);
    const { update, diff } = prepared.plan;
    if (!update) {
      // Also of this: by the time the request comes again there might be something to do.
      if (token) await deps.store.takeToken(token);
      return { update: null, diff, message: unchangedText };
    }
    if (await created(prepared, update, token, deps)) {
      deps.log.info('update started', { job: jobPath(key), updateId, kind: update.kind, user });
      return { update: updateView(update, deps.cluster), diff, message: startedText(update) };
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `job ${jobPath(key)} is being changed by others at this moment; nothing was started. Try again.`,
  );
};

const unchangedText = 'Job is unchanged by proposed update.';

/** False if the job is not as it was read any more, or the token was taken meanwhile. */
async function created(
  { job, configOf }: PreparedUpdate,
  update: UpdateRecord,
  token: ClientToken | undefined,
  deps: ChangeDeps,
): Promise<boolean> {
  const next = jobUnderUpdate({ job, update, cluster: deps.cluster, now: update.createdAt });
  const write: JobWrite = job
    ? { next, expected: { specVersion: job.specVersion, reconciledVersion: job.reconciledVersion } }
    : { next };
  const configs = new Map(update.desired.map(({ configId }) => [configId, configOf(configId)]));
  const outcome = await deps.store.createUpdate({ update, job: write, configs, token });
  return outcome.kind === 'created';
}

/** The answer to a request that was carried out before: with the update as it is by now, if it started one. */
async function replayed(key: JobKey, updateId: string | undefined, deps: ChangeDeps) {
  const [job, stored] = await Promise.all([
    deps.store.getJob(key),
    updateId === undefined ? undefined : deps.store.getUpdate(key, updateId),
  ]);
  const desired = job ? desiredInstances(job) : [];
  if (!stored) {
    const diff = { add: [], update: [], remove: [], unchanged: desired };
    return { update: null, diff, message: unchangedText };
  }
  const { update } = stored;
  const unchanged = subtractInstances(desired, instancesOf([...update.initial, ...update.desired]));
  const view = updateView(update, deps.cluster);
  return { update: view, diff: { ...classesOf(update), unchanged }, message: startedText(update) };
}

function startedText(update: UpdateRecord): string {
  const touched = countInstances(instancesOf([...update.initial, ...update.desired]));
  return `update ${update.updateId} of ${touched} instances is accepted`;
}
