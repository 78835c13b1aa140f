// Makes the tasks of one job what its desired state says (design D6): plan and commit interval by interval, several at
// a time, then note the spec version as carried out. Everything is read anew and every write is conditional, so a crash
// anywhere is continued by the next delivery.
import { markReconciled, needsReconcile } from '../../shared/domain/job/desired.ts';
import { planReconcile, type ReconcilePlan } from '../../shared/domain/job/reconcile.ts';
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Job } from '../../shared/model/job.ts';
import { type InstanceRange, type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store, TransitionWrite } from '../../shared/store/port.ts';
import type { RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import type { TransitionDeps } from '../transition-deps.ts';

export interface ReconcilerDeps extends TransitionDeps {
  readonly store: Pick<
    Store,
    'getJob' | 'getConfigs' | 'listTasks' | 'insertTasks' | 'transitionAll' | 'updateJob'
  >;
}

/** Instances per plan: four partitions of the task table. */
const intervalSize = 1000;
const intervalsAtOnce = 4;
/** Stop starting intervals when less time than this is left, milliseconds. */
const reserveMs = 8_000;
/** Plans of one interval before giving up to a later delivery; each follows a lost race. */
const maxPlans = 10;

/**
 * done: nothing is left to do. waiting: older tasks of re-created instances must end first; their end wakes the job
 * again. outOfTime: wake the job again now.
 */
export type ReconcileOutcome = 'done' | 'waiting' | 'outOfTime';

/**
 * Throws if the store does, or if an interval keeps changing under it; redelivery goes on from what is stored. Also if a
 * task cannot be read: everything else is carried out by then, and the job stays to be reconciled.
 */
export async function reconcileJob(
  key: JobKey,
  remainingMs: RemainingTime,
  deps: ReconcilerDeps,
): Promise<ReconcileOutcome> {
  for (;;) {
    const job = await deps.store.getJob(key);
    if (!job || !needsReconcile(job)) return 'done';
    const outcome = await reconcileVersion(job, remainingMs, deps);
    if (outcome !== 'done') return outcome;
    const expected = { specVersion: job.specVersion, reconciledVersion: job.reconciledVersion };
    const marked = await deps.store.updateJob(markReconciled(job, job.specVersion), expected);
    deps.log.info('job reconciled', { job: jobPath(key), specVersion: job.specVersion, marked: marked.kind });
    if (marked.kind === 'committed') return 'done';
  }
}

async function reconcileVersion(
  job: Job,
  remainingMs: RemainingTime,
  deps: ReconcilerDeps,
): Promise<ReconcileOutcome> {
  const configs = await configsOf(job, deps);
  const outcomes = await mapLimit(intervalsOf(job), intervalsAtOnce, async (interval) =>
    remainingMs() <= reserveMs ? 'outOfTime' : reconcileInterval(job, interval, configs, deps),
  );
  if (outcomes.includes('outOfTime')) return 'outOfTime';
  if (outcomes.includes('unreadable')) {
    throw new BorealisError(
      'INTERNAL',
      `tasks of job ${jobPath(job)} cannot be read and are left as they are; all others are as the job wants them`,
    );
  }
  return outcomes.includes('waiting') ? 'waiting' : 'done';
}

/** The configs of instances that may have to be created; answers by throwing if one is missing. */
async function configsOf(job: Job, deps: ReconcilerDeps): Promise<(configId: string) => TaskConfig> {
  const refills = job.refills.some(({ version }) => version > job.reconciledVersion);
  const added = job.desired.filter(({ since }) => refills || since > job.reconciledVersion);
  const ids = [...new Set(added.map(({ configId }) => configId))];
  const configs = ids.length === 0 ? new Map<string, TaskConfig>() : await deps.store.getConfigs(job, ids);
  return (configId) => {
    const config = configs.get(configId);
    if (config) return config;
    throw new BorealisError(
      'INTERNAL',
      `config ${configId} of job ${jobPath(job)} is missing, so its instances cannot be created; submit the job again`,
    );
  };
}

function intervalsOf({ instanceSpan }: Job): InstanceRange[] {
  const count = Math.ceil(instanceSpan / intervalSize);
  return Array.from({ length: count }, (_, index) => {
    const low = index * intervalSize;
    return [low, Math.min(low + intervalSize, instanceSpan) - 1];
  });
}

async function reconcileInterval(
  job: Job,
  interval: InstanceRange,
  configs: (configId: string) => TaskConfig,
  deps: ReconcilerDeps,
): Promise<'done' | 'waiting' | 'unreadable'> {
  const tell = tellAside(deps.log);
  for (let plans = 0; plans < maxPlans; plans++) {
    const untouched = new Set<number>();
    const tasks = await deps.store.listTasks(job, interval, (row) => {
      if (row.task) untouched.add(row.task.instance);
      if (plans === 0) tell(row);
    });
    const now = deps.clock();
    const plan = planReconcile({ job, tasks, interval, untouched, configs, now, ids: deps.ids });
    const changed = await commit(plan, now, deps);
    if (plan.create.length + plan.transitions.length > 0) {
      deps.log.info('tasks created and ended', {
        job: jobPath(job),
        created: plan.create.map(({ taskId }) => taskId),
        ended: plan.transitions.map(({ task }) => task.taskId),
        raced: changed.raced,
      });
    }
    if (changed.raced) continue;
    if (plan.waiting.length === 0) return untouched.size === 0 ? 'done' : 'unreadable';
    // Killing a task that no agent has removes it at once, and then its instance needs no waiting.
    if (!changed.wrote) return 'waiting';
  }
  throw new BorealisError(
    'CONFLICT',
    `instances ${interval[0]}-${interval[1]} of job ${jobPath(job)} keep changing; the message is delivered again`,
  );
}

async function commit(
  plan: ReconcilePlan,
  now: number,
  deps: ReconcilerDeps,
): Promise<{ readonly wrote: boolean; readonly raced: boolean }> {
  const writes: TransitionWrite[] = plan.transitions.flatMap(({ task, to, message }) => {
    const { timeouts, flapping } = deps;
    const applied = applyTransition(task, to, { now, message, timeouts, flapping }, deps);
    if (applied.outcome !== 'SUCCESS') return [];
    return [
      {
        task,
        ...(applied.next && { next: applied.next }),
        ...(applied.successor && { successor: applied.successor }),
      },
    ];
  });
  const [inserted, outcomes] = await Promise.all([
    plan.create.length === 0 ? { existing: [] } : deps.store.insertTasks(plan.create),
    writes.length === 0 ? [] : deps.store.transitionAll(writes),
  ]);
  const raced = inserted.existing.length > 0 || outcomes.some(({ kind }) => kind === 'conflict');
  return { wrote: writes.length > 0, raced };
}
