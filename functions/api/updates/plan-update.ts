// POST .../updates/plan: the same working out as start, played through on the agents as they are. Nothing is written.
import type { UpdatePlan } from '../../../shared/api/updates.ts';
import { type Forecast, forecastUpdate, poolsOf } from '../../../shared/domain/update/forecast.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import type { UpdateRecord } from '../../../shared/model/update.ts';
import type { ApiDeps, ResourceHandler } from '../context.ts';
import { type PreparedUpdate, prepareUpdate } from './prepare-update.ts';

/** Instances whose steps are worked out one by one. */
const mostSteps = 1000;

export const planUpdate: ResourceHandler<'planUpdate'> = async ({ params: key, body, user }, deps) => {
  const now = deps.clock();
  const prepared = await prepareUpdate({ key, body, updateId: 'plan', user, now }, deps);
  const { job, plan } = prepared;
  const { update, diff, settings } = plan;
  const forecast = update ? await forecastOf(prepared, update, now, deps) : nothing;
  return {
    job: `${deps.cluster}/${jobPath(key)}`,
    version: job?.specVersion ?? 0,
    changed: update !== undefined,
    diff,
    settings,
    batches: forecast.batches,
    steps: forecast.steps.map(stepView),
    unlisted: forecast.unlisted,
  };
};

const nothing: Forecast = { batches: 0, steps: [], unlisted: 0 };

async function forecastOf(
  { newest, configOf }: PreparedUpdate,
  update: UpdateRecord,
  now: number,
  deps: ApiDeps,
): Promise<Forecast> {
  const names = poolsOf(update, newest, configOf);
  const pools = await Promise.all(
    names.map(async (pool) => [pool, await deps.store.loadPool(pool)] as const),
  );
  return forecastUpdate({ update, newest, pools: new Map(pools), configOf, now, most: mostSteps });
}

function stepView({ instance, batch, kill, create }: Forecast['steps'][number]): UpdatePlan['steps'][number] {
  return {
    instance,
    batch,
    kill: kill
      ? { taskId: kill.taskId, state: kill.state, agentId: kill.agentId ?? null, configId: kill.configId }
      : null,
    create: create
      ? { configId: create.configId, agentId: create.agentId ?? null, reason: create.reason ?? null }
      : null,
  };
}
