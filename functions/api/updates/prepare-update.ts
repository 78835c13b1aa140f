// What start and plan have in common: the job and its tasks as they are, the job as it shall be, and the update from one
// to the other. Reads only.
import type { UpdateBody } from '../../../shared/api/updates.ts';
import { desiredInstances } from '../../../shared/domain/job/desired.ts';
import type { InstanceView } from '../../../shared/domain/update/newest-task.ts';
import { currentConfigs } from '../../../shared/domain/update/progress.ts';
import { adoptCopies, contentOf, type Proposal, proposeEdit } from '../../../shared/domain/update/propose.ts';
import { planUpdate, type StartPlan, type UpdateRequest } from '../../../shared/domain/update/start.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import { contentId } from '../../../shared/lib/hash.ts';
import {
  containsInstance,
  formatInstances,
  listInstances,
  normaliseInstances,
} from '../../../shared/model/instance-ranges.ts';
import type { Job } from '../../../shared/model/job.ts';
import { type InstanceRange, type JobKey, jobKeyOnly, jobPath } from '../../../shared/model/job-key.ts';
import type { Task } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import type { ConfiguredInstances } from '../../../shared/model/update.ts';
import { checkConfigs } from '../check-configs.ts';
import type { ChangeDeps } from '../context.ts';
import { existingJob, visitTasks } from '../job-tasks.ts';

export interface UpdateWish extends Pick<UpdateRequest, 'updateId' | 'user' | 'message' | 'metadata'> {
  readonly key: JobKey;
  readonly body: UpdateBody;
  /** Epoch ms. */
  readonly now: number;
}

export interface PreparedUpdate {
  /** As read; undefined = there is none yet. */
  readonly job: Job | undefined;
  /** The newest task of each instance that has one. */
  readonly newest: ReadonlyMap<number, Task>;
  readonly plan: StartPlan;
  /** The content of every config the update asks for. */
  readonly configOf: (configId: string) => TaskConfig;
}

/**
 * Works the update out. NOT_FOUND without a job (unless the change brings all of it), CONFLICT if another update is
 * active or the job is not the one the caller has seen, INVALID_REQUEST or INVALID_CONFIG for what cannot be done.
 */
export async function prepareUpdate(wish: UpdateWish, deps: ChangeDeps): Promise<PreparedUpdate> {
  const { key, body, now } = wish;
  const { change } = body;
  checkRanges(change.kind === 'remove' ? change.instances : undefined);
  checkRanges(body.only);
  if (change.kind === 'replace') checkConfigs({ ...jobKeyOnly(key), configs: change.configs }, 'change.');
  const job = change.kind === 'replace' ? await deps.store.getJob(key) : await existingJob(deps.store, key);
  const latest = job && (await activeUpdate(job, deps));
  if (!latest) checkVersion(job, key, body.expectedVersion);
  const newest = job ? await readNewest(job, deps) : new Map<number, Task>();
  const instances = instanceViews(job, newest);
  const current = currentConfigs(instances.filter(({ instance }) => isWanted(job, instance)));
  const given = new Map<string, TaskConfig>();
  const proposal = await proposalOf(wish, job, current, given);
  const configOf = await configReader(key, proposal.proposed, given, deps);
  const plan = planUpdate({
    ...wish,
    ...proposal,
    job: key,
    current,
    settings: body.settings ?? {},
    configs: factsOf(proposal.proposed.map(({ configId }) => configOf(configId))),
    latest,
    instances,
    now,
  });
  return { job, newest, plan, configOf };
}

/** A task that still ends after its instance was given up is not what the job runs. */
function isWanted(job: Job | undefined, instance: number): boolean {
  return job !== undefined && containsInstance(desiredInstances(job), instance);
}

async function activeUpdate(job: Job, deps: ChangeDeps) {
  if (job.updateId === undefined) return undefined;
  return (await deps.store.getUpdate(job, job.updateId))?.update;
}

function checkVersion(job: Job | undefined, key: JobKey, expected: number | undefined): void {
  const version = job?.specVersion ?? 0;
  if (expected === undefined || expected === version) return;
  const now = version === 0 ? 'does not exist' : `is at version ${version}`;
  throw new BorealisError(
    'CONFLICT',
    `the plan is stale: job ${jobPath(key)} ${now}, the plan was made at version ${expected}. Nothing was started. Plan again and look at what has changed.`,
    { details: { version, expectedVersion: expected } },
  );
}

function checkRanges(ranges: readonly InstanceRange[] | undefined): void {
  const reversed = ranges?.find(([low, high]) => high < low);
  if (!reversed) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    `instance range ${formatInstances([[reversed[1], reversed[0]]])} is given in reverse; write the lower number first. Nothing was started.`,
  );
}

async function readNewest(job: Job, deps: ChangeDeps): Promise<Map<number, Task>> {
  const newest = new Map<number, Task>();
  await visitTasks(deps.store, job, (tasks) => {
    for (const task of tasks) {
      const known = newest.get(task.instance);
      if (!known || known.generation < task.generation) newest.set(task.instance, task);
    }
    return undefined;
  });
  return newest;
}

/** Every instance that is wanted or has a task. */
function instanceViews(job: Job | undefined, newest: ReadonlyMap<number, Task>): InstanceView[] {
  const wanted = job ? listInstances(desiredInstances(job)) : [];
  return [...new Set([...wanted, ...newest.keys()])].map((instance) => {
    const task = newest.get(instance);
    return { instance, tasks: task ? [task] : [] };
  });
}

async function proposalOf(
  { key, body, now }: UpdateWish,
  job: Job | undefined,
  current: readonly ConfiguredInstances[],
  given: Map<string, TaskConfig>,
): Promise<Proposal> {
  const { change, only } = body;
  if (change.kind === 'replace') {
    const asked = change.configs.map(({ instances, task }) => {
      const configId = contentId(task);
      given.set(configId, task);
      return { configId, instances: normaliseInstances(instances) };
    });
    const proposed = adoptCopies(asked, current);
    return { kind: 'replace', proposed, ...(only && { only: normaliseInstances(only) }) };
  }
  if (!job) throw new BorealisError('INTERNAL', `job ${jobPath(key)} was not read; nothing was started`);
  if (only && change.kind !== 'restart') {
    throw new BorealisError(
      'INVALID_REQUEST',
      `"only" narrows a replacement or a restart; a change of kind ${change.kind} names its instances itself. Nothing was started.`,
    );
  }
  return proposeEdit(job, change, current, only, now);
}

/** Contents of the proposed configs: as sent, else as stored. */
async function configReader(
  key: JobKey,
  proposed: readonly ConfiguredInstances[],
  given: ReadonlyMap<string, TaskConfig>,
  deps: ChangeDeps,
): Promise<(configId: string) => TaskConfig> {
  const contents = new Map(given);
  const missing = proposed.map(({ configId }) => contentOf(configId)).filter((id) => !contents.has(id));
  await deps.configs.load(missing.map((configId) => ({ key, configId })));
  for (const configId of missing) contents.set(configId, await deps.configs.get(key, configId));
  return (configId) => {
    const config = contents.get(contentOf(configId));
    if (config) return config;
    throw new BorealisError('INTERNAL', `config ${configId} of job ${jobPath(key)} was not read`);
  };
}

function factsOf(configs: readonly TaskConfig[]): UpdateRequest['configs'] {
  return {
    service: configs.every(({ service }) => service),
    hasSlaPolicy: false,
    dedicated: configs.some(({ constraints }) =>
      constraints.some(({ attribute }) => attribute === 'dedicated'),
    ),
  };
}
