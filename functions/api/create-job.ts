// POST /jobs/{role}/{environment}/{name}: checks everything, then one write. Tasks are made later, from the stream.

import type { Accepted } from '../../shared/api/views.ts';
import { desiredCount, needsReconcile, newJob } from '../../shared/domain/job/desired.ts';
import { BorealisError, isBorealisError } from '../../shared/lib/errors.ts';
import { contentId } from '../../shared/lib/hash.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { Job, JobSubmission } from '../../shared/model/job.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { isActive } from '../../shared/model/task.ts';
import type { ClientToken } from '../../shared/store/port.ts';
import { checkConfigs } from './check-configs.ts';
import { clientToken, tokenReused } from './client-token.ts';
import type { ChangeDeps, ResourceHandler } from './context.ts';
import { visitTasks } from './job-tasks.ts';
import { jobViews } from './views.ts';

/** Tries when the stored job of this name changes while it is looked at. */
const maxTries = 5;

export const createJob: ResourceHandler<'createJob', ChangeDeps> = async (request, deps) => {
  const submission = request.body;
  checkKey(request.params, submission);
  checkConfigs(submission);
  const token = clientToken(request.headers, submission);
  const before = await admitOrRecall(submission, token, deps);
  if (before) return accepted(before, deps);
  const configIds = submission.configs.map(({ task }) => contentId(task));
  const configs = new Map(submission.configs.map(({ task }, index) => [configIds[index] ?? '', task]));
  const input = { submission, cluster: deps.cluster, user: request.user, configIds };
  let previous: { job: Job; ended: boolean } | undefined;
  for (let tries = 0; tries < maxTries; tries++) {
    const job = newJob({ ...input, now: deps.clock(), previous });
    const outcome = await deps.store.createJob({
      job,
      configs,
      ...(token && { token }),
      ...(previous && { replaces: { specVersion: previous.job.specVersion } }),
    });
    switch (outcome.kind) {
      case 'created':
        deps.log.info('job accepted', {
          job: jobPath(job),
          instances: desiredCount(job),
          user: request.user,
        });
        return accepted(job, deps);
      case 'replayed':
        return accepted(outcome.job, deps);
      case 'tokenReused':
        throw tokenReused();
      case 'exists':
        previous = { job: outcome.job, ended: await hasEnded(outcome.job, deps) };
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `job ${jobPath(submission)} is being changed by others at this moment; nothing was stored. Look at it and try again.`,
  );
};

async function accepted(job: Job, deps: ChangeDeps): Promise<Accepted> {
  const [view] = await jobViews([job], deps.configs);
  if (!view) throw new BorealisError('INTERNAL', `job ${jobPath(job)} cannot be shown; it is stored`);
  return {
    job: view,
    message: `job ${view.key} is accepted; its ${view.instances} instances are being created`,
  };
}

/**
 * Asks whether there is room for the work. A refusal is not for what was taken before: only then is the token looked up,
 * so that a submission which is taken costs no further read. Answers the job that an earlier try of this request made.
 */
async function admitOrRecall(
  submission: JobSubmission,
  token: ClientToken | undefined,
  deps: ChangeDeps,
): Promise<Job | undefined> {
  try {
    await deps.admission.admit(demandOf(submission));
    return undefined;
  } catch (error) {
    if (!isBorealisError(error, 'BACKLOG_FULL') || !token) throw error;
    const used = await deps.store.tokenUse(token.value);
    if (used && used.requestHash !== token.requestHash) throw tokenReused();
    const job = used && (await deps.store.getJob(submission));
    if (job) return job;
    throw error;
  }
}

/** Instances by the pool that has to take them. */
function demandOf({ configs }: JobSubmission): ReadonlyMap<string, number> {
  const demand = new Map<string, number>();
  for (const { instances, task } of configs) {
    demand.set(task.pool, (demand.get(task.pool) ?? 0) + countInstances(instances));
  }
  return demand;
}

function checkKey(path: JobKey, body: JobKey): void {
  if (jobPath(path) === jobPath(body)) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    `the path names job ${jobPath(path)}, the body ${jobPath(body)}; nothing was stored. Make them equal.`,
  );
}

/** Everything asked for is carried out, and no task of it is active any more. */
async function hasEnded(job: Job, deps: ChangeDeps): Promise<boolean> {
  if (needsReconcile(job)) return false;
  let active = false;
  await visitTasks(deps.store, job, (tasks) => {
    active ||= tasks.some(({ state }) => isActive(state));
    return active ? 'stop' : undefined;
  });
  return !active;
}
