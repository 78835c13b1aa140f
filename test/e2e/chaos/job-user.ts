// One user of one job: asks for the next thing when the last is answered, and the recorder keeps what came of it.
import { isBorealisError } from '../../../shared/lib/errors.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import {
  isTerminalUpdate,
  type UpdateSettingsInput,
  updateSettingsInputSchema,
} from '../../../shared/model/update.ts';
import type { Wanted } from '../../history/history.ts';
import type { Installation } from '../harness.ts';
import type { Recorder } from './recorder.ts';

export interface JobUserOptions {
  readonly installation: Installation;
  readonly recorder: Recorder;
  readonly jobs: { readonly role: string; readonly environment: string };
}

export interface UpdateWish {
  readonly settings?: UpdateSettingsInput;
  /** Stopped for so long soon after its start, ms. */
  readonly pausedMs?: number;
  /** Given up soon after its start. */
  readonly abort?: 'hold' | 'rollback';
}

/** Longest wait for an update to end before the user leaves it alone. */
const updatePatienceMs = 45_000;
/** When an update is paused or given up: some of it is done by then. */
const soonMs = 800;

/** What the user may ask for; each answers whether it was accepted. */
export function jobUser(name: string, { installation, recorder, jobs }: JobUserOptions) {
  const { api } = installation;
  const params = { ...jobs, name };
  const path = jobPath(params);
  const call = async (...args: Parameters<Recorder['call']> extends [string, ...infer R] ? R : never) =>
    (await recorder.call(path, ...args)).outcome === 'accepted';
  const ended = async (updateId: string): Promise<boolean> => {
    const found = await api.call('getUpdate', { params: { ...params, updateId } }).catch(() => undefined);
    return found !== undefined && isTerminalUpdate(found.status);
  };
  const disturb = async (updateId: string, { pausedMs, abort }: UpdateWish): Promise<void> => {
    const which = { params: { ...params, updateId } };
    if (pausedMs === undefined && abort === undefined) return;
    await pause(soonMs);
    if (abort) return untilAnswered(() => api.call('abortUpdate', { ...which, body: { instances: abort } }));
    await untilAnswered(() => api.call('pauseUpdate', { ...which, body: {} }));
    await pause(pausedMs ?? 0);
    await untilAnswered(() => api.call('resumeUpdate', { ...which, body: {} }));
  };
  return {
    create: (task: TaskConfig, instances: number) =>
      call({ kind: 'create', wanted: wanted(task, instances) }, async (idempotencyKey) => {
        const body = { ...params, configs: configs(task, instances) };
        const { job } = await api.call('createJob', { params, body, idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    add: (count: number) =>
      call({ kind: 'add', count }, async (idempotencyKey) => {
        const { job } = await api.call('addInstances', { params, body: { count }, idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    kill: (instance?: number) =>
      call({ kind: 'kill', ...named(instance) }, async (idempotencyKey) => {
        const { job } = await api.call('killJob', { params, body: named(instance), idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    restart: (instance: number) =>
      call({ kind: 'restart', ...named(instance) }, async (idempotencyKey) => {
        const { job } = await api.call('restartJob', { params, body: named(instance), idempotencyKey });
        return { specVersion: job.specVersion };
      }),
    /** Waits for its end, too. */
    async update(task: TaskConfig, instances: number, wish: UpdateWish = {}) {
      const settings = updateSettingsInputSchema.parse({
        strategy: { kind: 'batch', groupSize: 2 },
        minWaitInInstanceRunningMs: 500,
        maxPerInstanceFailures: 3,
        ...wish.settings,
      });
      const asked = { kind: 'update' as const, wanted: wanted(task, instances) };
      const { updateId } = await recorder.call(path, asked, async (idempotencyKey) => {
        const change = { kind: 'replace' as const, configs: configs(task, instances) };
        const body = { change, settings };
        const { update } = await api.call('startUpdate', { params, body, idempotencyKey });
        return update ? { updateId: update.updateId } : {};
      });
      if (updateId === undefined) return;
      await disturb(updateId, wish);
      const end = Date.now() + updatePatienceMs;
      while (Date.now() < end && !(await ended(updateId))) await pause(500);
    },
  };
}

/** Again while the control plane fails; an answer that refuses is one. */
export async function untilAnswered(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isBorealisError(error)) throw error;
      if (Number(error.details.status ?? 500) < 500) return;
      await pause(500);
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function configs(task: TaskConfig, instances: number) {
  return [{ instances: [[0, instances - 1] as [number, number]], task }];
}

function wanted(task: TaskConfig, instances: number): Wanted[] {
  return [{ instances: [[0, instances - 1]], mark: task.metadata.mark ?? '' }];
}

function named(instance: number | undefined) {
  return instance === undefined ? {} : { instances: [[instance, instance] as [number, number]] };
}
