// Kill, restart and add instances: edits of a job's desired state, written on condition that nobody else was first.
// Reconcile carries them out; the answer says what is recorded, not what has happened.
import type { Accepted } from '../../shared/api/views.ts';
import {
  desiredInstances,
  killInstances,
  restartInstances,
  addInstances as withAdded,
} from '../../shared/domain/job/desired.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import {
  countInstances,
  formatInstances,
  normaliseInstances,
  subtractInstances,
} from '../../shared/model/instance-ranges.ts';
import type { Job } from '../../shared/model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { isActive } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import { clientToken, tokenReused } from './client-token.ts';
import type { ChangeDeps, ResourceHandler } from './context.ts';
import { existingJob, visitTasks } from './job-tasks.ts';
import { jobViews } from './views.ts';

const maxTries = 10;
const readsAtOnce = 4;

export const killJob: ResourceHandler<'killJob', ChangeDeps> = (request, deps) =>
  edit('kill', request, deps, async (job) => {
    const { body, user } = request;
    const ranges = body.instances === undefined ? 'all' : checkedRanges(body.instances);
    const next = killInstances(job, ranges, auditMessage('Killed', user, body.message), deps.clock());
    const count = countInstances(desiredInstances(job)) - countInstances(desiredInstances(next));
    return { next, message: next === job ? 'No tasks to kill.' : `${count} instances are being killed` };
  });

export const restartJob: ResourceHandler<'restartJob', ChangeDeps> = (request, deps) =>
  edit('restart', request, deps, async (job) => {
    const { body, user } = request;
    const ranges =
      body.instances === undefined
        ? await activeAmong(job, desiredInstances(job), deps)
        : await allActive(job, checkedRanges(body.instances), deps);
    const next = restartInstances(job, ranges, auditMessage('Restarted', user, body.message), deps.clock());
    return { next, message: `${countInstances(ranges)} instances are being restarted` };
  });

export const addInstances: ResourceHandler<'addInstances', ChangeDeps> = (request, deps) => {
  let admittedTo: string | undefined;
  return edit('add', request, deps, async (job) => {
    const { body } = request;
    const template = body.template ?? desiredInstances(job).at(-1)?.[1];
    if (template === undefined) {
      throw new BorealisError(
        'INVALID_REQUEST',
        `job ${jobPath(job)} has no instances whose config could be copied; submit it again instead`,
      );
    }
    const next = withAdded(job, body.count, template, deps.clock());
    const { pool } = await deps.configs.get(job, next.desired.at(-1)?.configId ?? '');
    // Once, however often others are first: each time counts as so many more that will wait.
    if (pool !== admittedTo) await deps.admission.admit(new Map([[pool, body.count]]));
    admittedTo = pool;
    return { next, message: `${body.count} instances are being added` };
  });
};

/** `Killed by <user>`, with the caller's own words on a second line (spec/task-lifecycle.md section 9). */
function auditMessage(verb: string, user: string, message: string | undefined): string {
  return message ? `${verb} by ${user}.\n${message}` : `${verb} by ${user}`;
}

interface EditRequest {
  readonly params: JobKey;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads, edits and writes; a lost race starts over with the job as it is now. A request that comes again with its client
 * token is answered with the job as it is: also one that had nothing to change, which might have something by now.
 */
async function edit(
  what: string,
  { params: key, body, headers }: EditRequest,
  deps: ChangeDeps,
  change: (job: Job) => Promise<{ readonly next: Job; readonly message: string }>,
): Promise<Accepted> {
  const token = clientToken(headers, { what, key, body });
  for (let tries = 0; tries < maxTries; tries++) {
    const used = token && (await deps.store.tokenUse(token.value));
    if (token && used && used.requestHash !== token.requestHash) throw tokenReused();
    const job = await existingJob(deps.store, key);
    if (used) return answer(job, 'This request was carried out before.', deps);
    const { next, message } = await change(job);
    if (next === job) {
      // The row is not written again: that would take back the day on which an ended job goes.
      if (token) await deps.store.takeToken(token);
      return answer(job, message, deps);
    }
    const expected = { specVersion: job.specVersion, reconciledVersion: job.reconciledVersion };
    const outcome = await deps.store.updateJob(next, expected, token);
    if (outcome.kind === 'committed') {
      deps.log.info('job edited', { job: jobPath(key), specVersion: next.specVersion, what: message });
      return answer(next, message, deps);
    }
  }
  throw new BorealisError(
    'CONFLICT',
    `job ${jobPath(key)} is being changed by others at this moment; it is unchanged by this request. Try again.`,
  );
}

async function answer(job: Job, message: string, deps: ChangeDeps): Promise<Accepted> {
  const [view] = await jobViews([job], deps.configs);
  if (!view) throw new BorealisError('INTERNAL', `job ${jobPath(job)} cannot be shown; the change is stored`);
  return { job: view, message };
}

function checkedRanges(ranges: readonly InstanceRange[]): InstanceRange[] {
  const reversed = ranges.find(([low, high]) => high < low);
  if (!reversed) return normaliseInstances(ranges);
  throw new BorealisError(
    'INVALID_REQUEST',
    `instance range ${reversed[0]}-${reversed[1]} is reversed; write ${reversed[1]}-${reversed[0]}. Nothing was changed.`,
  );
}

/** The ranges themselves if each instance has an active task; else INVALID_REQUEST names those that have none. */
async function allActive(
  job: Job,
  ranges: readonly InstanceRange[],
  deps: ChangeDeps,
): Promise<readonly InstanceRange[]> {
  const idle = subtractInstances(ranges, await activeAmong(job, ranges, deps));
  if (idle.length === 0) return ranges;
  const listed = formatInstances(idle);
  throw new BorealisError(
    'INVALID_REQUEST',
    `instances ${listed.length > 100 ? `${listed.slice(0, 100)}...` : listed} of job ${jobPath(job)} are not active, so nothing is restarted. Name active instances only.`,
  );
}

async function activeAmong(
  job: Job,
  ranges: readonly InstanceRange[],
  deps: ChangeDeps,
): Promise<InstanceRange[]> {
  const active: InstanceRange[] = [];
  const note = (tasks: readonly { state: Parameters<typeof isActive>[0]; instance: number }[]) => {
    for (const { state, instance } of tasks) if (isActive(state)) active.push([instance, instance]);
    return undefined;
  };
  // A few named instances are read by themselves, many by a walk over the job.
  if (ranges.length > 50 || countInstances(ranges) > 5000) {
    await visitTasks(deps.store, job, note);
  } else {
    const inside = ranges.filter(([low]) => low < job.instanceSpan);
    await mapLimit(inside, readsAtOnce, async ([low, high]) =>
      note(await deps.store.listTasks(job, [low, Math.min(high, job.instanceSpan - 1)])),
    );
  }
  return normaliseInstances(active);
}
