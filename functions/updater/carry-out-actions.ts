// Carries out what an update's step decided: tasks are ended by their id, and created on condition that their key is
// free (design D5). Doing it twice, or late, does nothing.
import { applyTransition } from '../../shared/domain/task/apply.ts';
import { createTask } from '../../shared/domain/task/successor.ts';
import type { UpdateAction } from '../../shared/domain/update/act.ts';
import type { Job } from '../../shared/model/job.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { TransitionWrite } from '../../shared/store/port.ts';
import type { UpdaterDeps } from './deps.ts';

type KillAction = Extract<UpdateAction, { kind: 'KILL' }>;
type CreateAction = Extract<UpdateAction, { kind: 'CREATE' }>;

const configsAtOnce = 8;

/** False if some task had moved on when it was to be ended: then the update must be looked at again. */
export async function carryOutActions(
  job: Job,
  actions: readonly UpdateAction[],
  tasks: ReadonlyMap<string, Task>,
  now: number,
  deps: UpdaterDeps,
): Promise<boolean> {
  const kills = actions.filter((action) => action.kind === 'KILL');
  const creates = actions.filter((action) => action.kind === 'CREATE');
  const [ended] = await Promise.all([
    endTasks(kills, tasks, now, deps),
    createTasks(job, creates, now, deps),
  ]);
  if (kills.length > 0) deps.meter.count('UpdateKills', kills.length);
  return ended;
}

async function endTasks(
  kills: readonly KillAction[],
  tasks: ReadonlyMap<string, Task>,
  now: number,
  { store, timeouts, flapping, ids, random }: UpdaterDeps,
): Promise<boolean> {
  const writes = kills.flatMap(({ taskId, message }): TransitionWrite[] => {
    const task = tasks.get(taskId);
    if (!task) return [];
    const plan = applyTransition(task, 'KILLING', { now, message, timeouts, flapping }, { ids, random });
    if (plan.outcome !== 'SUCCESS') return [];
    return [
      { task, ...(plan.next && { next: plan.next }), ...(plan.successor && { successor: plan.successor }) },
    ];
  });
  if (writes.length === 0) return true;
  const outcomes = await store.transitionAll(writes);
  return outcomes.every(({ kind }) => kind === 'committed');
}

async function createTasks(
  job: Job,
  creates: readonly CreateAction[],
  now: number,
  { store, configs, ids }: UpdaterDeps,
): Promise<void> {
  const created = await mapLimit(creates, configsAtOnce, async ({ instance, generation, configId }) => {
    const config = await configs.get(job, configId);
    return createTask({ job, instance, generation, configId, spec: job.specVersion, config, now }, ids);
  });
  if (created.length > 0) await store.insertTasks(created);
}
