// A control plane with jobs, tasks, agents and updates in it for hostile requests to aim at. Every write that reaches the
// store is noted, so that a refused request can be shown to have stored nothing.
import type { Context } from 'aws-lambda';
import { createAdmission } from '../../functions/api/admission.ts';
import { createApi } from '../../functions/api/app.ts';
import { createConfigCache } from '../../functions/launch.ts';
import type { HttpEvent, HttpResult } from '../../functions/middleware/http.ts';
import { defaultBacklogLimit } from '../../shared/api/env.ts';
import { randomIds } from '../../shared/lib/ports.ts';
import { eventDetailSchemas } from '../../shared/model/events.ts';
import type { JobSubmission } from '../../shared/model/job.ts';
import type { Store } from '../../shared/store/port.ts';
import { makeConfig, makeOffer } from '../contract/fixtures.ts';
import { createWorld, pathOf, submission, type World } from '../functions/support/world.ts';

/** Every method of the store but these may change a row. */
const isReading = (name: string) => /^(get|list|count|load|pending|ping|tokenUse)/.test(name);

export interface Installation {
  readonly world: World;
  readonly jobs: readonly JobSubmission[];
  readonly taskIds: readonly string[];
  readonly agentIds: readonly string[];
  readonly updateIds: readonly string[];
  /** The store that notes its writes. */
  readonly store: Store;
  /** Writes that succeeded since the last call. */
  takeWrites(): readonly string[];
  /** One event of the gateway, answered by the API. */
  serve(event: HttpEvent): Promise<HttpResult>;
}

const jobCount = 24;

export async function createInstallation(): Promise<Installation> {
  const world = await createWorld({ identity: 'bound' });
  const agentIds = ['agent-a', 'agent-b'];
  for (const agentId of agentIds) {
    const offer = makeOffer({ agentId });
    const report = { v: 1, agentId, sessionId: 's1', sentAt: world.now, kind: 'register', offer };
    await world.report([report], `principal-${agentId}`);
  }
  const jobs = Array.from({ length: jobCount }, (_, index) =>
    submission({ name: `job-${index}` }, { service: index % 3 > 0 }),
  );
  for (const job of jobs) await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const updateIds: string[] = [];
  for (const job of jobs.slice(0, 6)) {
    const change = {
      kind: 'replace',
      configs: [
        {
          instances: [[0, 2]],
          task: makeConfig({ priority: 7, resources: (job.configs[0] as Config).task.resources }),
        },
      ],
    };
    const answer = await world.call('POST', `${pathOf(job)}/updates`, { body: { change } });
    if (answer.status === 202) updateIds.push(answer.body.update.updateId);
  }
  await world.run();
  const taskIds = (await Promise.all(jobs.map((job) => world.tasks(job)))).flat().map(({ taskId }) => taskId);
  const { store, takeWrites } = noting(world.store);
  const { clock, log } = world.common;
  const api = createApi({
    store,
    configs: createConfigCache(store),
    admission: createAdmission({ store, clock, log, limit: defaultBacklogLimit }),
    clock,
    ids: randomIds,
    log,
    cluster: 'local',
    identity: 'bound',
    version: '0.0.0',
  }) as unknown as (event: HttpEvent, context: Context) => Promise<HttpResult>;
  const context = { awsRequestId: 'aws-1', getRemainingTimeInMillis: () => 29_000 } as unknown as Context;
  return {
    world,
    jobs,
    taskIds,
    agentIds,
    updateIds,
    store,
    takeWrites,
    serve: (event) => api(event, context),
  };
}

/**
 * Lets everything happen that was taken in: what is hostile must not be stored to hurt later. Throws if any message or
 * record is not worked off, or an event is not what it is documented to be.
 */
export async function carryOutAll({ world }: Installation): Promise<void> {
  const errorsBefore = world.log.lines.length;
  const told = world.events.published.length;
  await world.run();
  for (const event of world.events.published.slice(told)) {
    const checked = eventDetailSchemas[event.detailType].safeParse(event.detail);
    if (!checked.success)
      throw new Error(`${event.detailType} ${JSON.stringify(event.detail)}: ${checked.error.message}`);
    if (/\\ud[89a-f]/i.test(JSON.stringify(event).replaceAll('\\\\', '')))
      throw new Error(`the bus takes no half characters: ${JSON.stringify(event).slice(0, 500)}`);
  }
  const errors = world.log.lines.slice(errorsBefore).filter(({ level }) => level === 'error');
  if (errors.length > 0) throw new Error(`not carried out: ${JSON.stringify(errors.slice(0, 5))}`);
}

type Config = JobSubmission['configs'][number];

/** Outcomes of a write that wrote nothing. */
const nothingDone = new Set([
  'conflict',
  'exists',
  'replayed',
  'tokenReused',
  'tokenUsed',
  'stale',
  'superseded',
  'foreign',
  'unknown',
]);

function noting(store: Store): Pick<Installation, 'store' | 'takeWrites'> {
  const writes: string[] = [];
  const noted = new Proxy(store, {
    get(target, name) {
      const method = target[name as keyof Store] as (...input: unknown[]) => Promise<unknown>;
      if (typeof method !== 'function' || isReading(String(name))) return method;
      return async (...input: unknown[]) => {
        const outcome = await method(...input);
        const { kind = '' } = (outcome ?? {}) as { kind?: string };
        if (!nothingDone.has(kind)) writes.push(`${String(name)} ${kind}`);
        return outcome;
      };
    },
  });
  return { store: noted, takeWrites: () => writes.splice(0) };
}
