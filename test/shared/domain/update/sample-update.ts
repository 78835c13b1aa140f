// Updates and instances for the tests of the update engine.
import { isDeepStrictEqual } from 'node:util';
import type { InstanceView, UpdateTask } from '../../../../shared/domain/update/newest-task.ts';
import { planUpdate, type UpdateRequest } from '../../../../shared/domain/update/start.ts';
import type { TaskState } from '../../../../shared/model/task.ts';
import {
  type ConfiguredInstances,
  type UpdateRecord,
  type UpdateSettingsInput,
  updateRecordSchema,
} from '../../../../shared/model/update.ts';

export const job = { role: 'ads', environment: 'prod', name: 'web' };

/** { old: '0-2' } style maps would hide the order; these are the model's own pairs. */
export function all(configId: string, ...instances: [number, number][]): ConfiguredInstances {
  return { configId, instances };
}

/** A task with a history of [state, time] pairs, the last of which is its state. */
export function task(
  configId: string,
  generation: number,
  ...history: [TaskState, number][]
): UpdateTask & { instance?: number } {
  const events = history.map(([state, at]) => ({ state, at }));
  const state = history.at(-1)?.[0] ?? 'PENDING';
  return { taskId: `t-${configId}-${generation}`, generation, configId, state, events };
}

/** An instance that has run a config since time 0. */
export function running(instance: number, configId: string): InstanceView {
  return { instance, tasks: [task(configId, 1, ['PENDING', 0], ['RUNNING', 0])] };
}

/** A request for job `ads/prod/web` to go from what runs to what is proposed, at time 1000. */
export function request(
  current: ConfiguredInstances[],
  proposed: ConfiguredInstances[],
  settings: UpdateSettingsInput = {},
  more: Partial<UpdateRequest> = {},
): UpdateRequest {
  return {
    job,
    updateId: 'u1',
    user: 'ann',
    current,
    proposed,
    settings,
    configs: { service: true, hasSlaPolicy: false, dedicated: false },
    instances: [],
    now: 1000,
    ...more,
  };
}

/** The record of such an update. */
export function started(...args: Parameters<typeof request>): UpdateRecord {
  const { update } = planUpdate(request(...args));
  if (!update) throw new Error('the sample update has nothing to do');
  return stored(update);
}

/** What comes back from a store: the schema accepts it, and nothing but data survives. */
export function stored(update: UpdateRecord): UpdateRecord {
  const back = updateRecordSchema.parse(JSON.parse(JSON.stringify(update)));
  if (!isDeepStrictEqual(back, update)) throw new Error('the record changes by being stored');
  return back;
}
