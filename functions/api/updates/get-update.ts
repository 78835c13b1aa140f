// One update with its progress, and what happened to its instances.
import type { UpdateDetail } from '../../../shared/api/updates.ts';
import { evaluateInstance } from '../../../shared/domain/update/evaluate-instance.ts';
import { newestTask } from '../../../shared/domain/update/newest-task.ts';
import { openPass } from '../../../shared/domain/update/pass.ts';
import { isRolling } from '../../../shared/domain/update/status-machine.ts';
import { toInstanceRanges } from '../../../shared/model/instance-ranges.ts';
import type { PendingReason } from '../../../shared/model/reason.ts';
import type { Task } from '../../../shared/model/task.ts';
import type { UpdateRecord } from '../../../shared/model/update.ts';
import { mapLimit } from '../../../shared/store/flow.ts';
import type { ApiDeps, ResourceHandler } from '../context.ts';
import { isoTime } from '../views.ts';
import { findUpdate } from './find-update.ts';
import { updateDetail } from './views.ts';

/** Instances shown one by one. */
const mostWorking = 200;
const readsAtOnce = 4;
const defaultLimit = 1000;

export const getUpdate: ResourceHandler<'getUpdate'> = async ({ params }, deps) => {
  const update = await findUpdate(deps.store, params, params.updateId);
  return updateDetail(update, deps.cluster, await workingInstances(update, deps));
};

export const listUpdateEvents: ResourceHandler<'listUpdateEvents'> = async ({ params, query }, deps) => {
  const { updateId } = await findUpdate(deps.store, params, params.updateId);
  const { limit = defaultLimit, cursor } = query;
  const page = await deps.store.listInstanceEvents(params, updateId, {
    limit,
    ...(cursor !== undefined && { cursor }),
  });
  return {
    events: page.items.map(({ instance, action, at, message }) => ({
      instance,
      action,
      at: isoTime(at),
      message: message ?? null,
    })),
    nextCursor: page.next ?? null,
  };
};

type Working = UpdateDetail['working'];

/** What each instance does whose turn it is: by its tasks, judged as the engine judges them. */
async function workingInstances(update: UpdateRecord, deps: ApiDeps): Promise<Working> {
  const pass = openPass(update);
  const turns = [...pass.working].slice(0, mostWorking);
  if (turns.length === 0) return [];
  const ranges = toInstanceRanges(turns.map(([instance]) => instance));
  const pages = await mapLimit(ranges, readsAtOnce, (range) => deps.store.listTasks(update, range));
  const byInstance = Map.groupBy(pages.flat(), ({ instance }) => instance);
  const rolling = isRolling(update.status);
  const now = deps.clock();
  const { maxPerInstanceFailures, minWaitInInstanceRunningMs } = update.settings;
  const shown = turns.map(([instance, since]) => {
    const tasks = byInstance.get(instance) ?? [];
    const target = pass.target(instance);
    const limits = { maxPerInstanceFailures, minWaitInInstanceRunningMs };
    const verdict = rolling ? evaluateInstance({ tasks, target, since, now, ...limits }) : undefined;
    const held = verdict?.kind === 'KILL' && !pass.taken.has(instance);
    const waiting =
      verdict?.kind === 'WAIT'
        ? { waitsFor: verdict.why, since: isoTime(verdict.since) }
        : { waitsFor: held ? 'BUDGET' : null, since: isoTime(since) };
    return { instance, ...waiting, ...taskOf(tasks) };
  });
  const reasons = await placementReasons(update, shown, deps);
  return shown.map((one) => ({
    ...one,
    reason: one.waitsFor === 'PLACEMENT' ? (reasons.get(one.configId ?? '') ?? null) : null,
  }));
}

function taskOf(tasks: readonly Task[]) {
  const newest = newestTask(tasks) as Task | undefined;
  return {
    taskId: newest?.taskId ?? null,
    state: newest?.state ?? null,
    agentId: newest?.agentId ?? null,
    configId: newest?.configId ?? null,
  };
}

async function placementReasons(
  update: UpdateRecord,
  shown: readonly { readonly waitsFor: string | null }[],
  deps: ApiDeps,
): Promise<ReadonlyMap<string, PendingReason>> {
  return shown.some(({ waitsFor }) => waitsFor === 'PLACEMENT') ? deps.store.getReasons(update) : new Map();
}
