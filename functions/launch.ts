// What an agent needs to run a task, put together from the task's row and its immutable config.
import { BorealisError } from '../shared/lib/errors.ts';
import { type JobKey, jobPath } from '../shared/model/job-key.ts';
import type { TaskLaunch } from '../shared/model/protocol.ts';
import type { Task } from '../shared/model/task.ts';
import type { TaskConfig } from '../shared/model/task-config.ts';
import type { Store } from '../shared/store/port.ts';

/** The launch of an assigned task. */
export function taskLaunch(task: Task, config: TaskConfig, cluster: string): TaskLaunch {
  return { ...taskAddress(task, cluster), config };
}

/** A launch without its config. */
export function taskAddress(task: Task, cluster: string): Omit<TaskLaunch, 'config'> {
  const { role, environment, name, taskId, instance, generation } = task;
  return {
    role,
    environment,
    name,
    taskId,
    cluster,
    instance,
    generation,
    grant: task.grant ?? { gpus: [], ports: {} },
  };
}

/** Reads configs of many jobs; what was read is kept, since a config never changes. */
export interface ConfigCache {
  /** NOT_FOUND if the job has no such config. */
  get(key: JobKey, configId: string): Promise<TaskConfig>;
  /** Reads all that are missing, one read per job. */
  load(wanted: readonly { readonly key: JobKey; readonly configId: string }[]): Promise<void>;
}

/** Keeps the configs used last, up to `capacity` of them. */
export function createConfigCache(store: Pick<Store, 'getConfigs'>, capacity = 2000): ConfigCache {
  const kept = new Map<string, TaskConfig>();
  const nameOf = (key: JobKey, configId: string) => `${jobPath(key)}/${configId}`;
  const keep = (name: string, config: TaskConfig) => {
    kept.delete(name);
    kept.set(name, config);
  };
  const load: ConfigCache['load'] = async (wanted) => {
    const byJob = new Map<string, { key: JobKey; ids: Set<string> }>();
    for (const { key, configId } of wanted) {
      const name = nameOf(key, configId);
      const known = kept.get(name);
      if (known) {
        keep(name, known);
        continue;
      }
      const entry = byJob.get(jobPath(key)) ?? { key, ids: new Set<string>() };
      entry.ids.add(configId);
      byJob.set(jobPath(key), entry);
    }
    await Promise.all(
      [...byJob.values()].map(async ({ key, ids }) => {
        for (const [configId, config] of await store.getConfigs(key, [...ids])) {
          keep(nameOf(key, configId), config);
        }
      }),
    );
  };
  return {
    load: async (wanted) => {
      await load(wanted);
      trim(kept, Math.max(capacity, wanted.length));
    },
    async get(key, configId) {
      const name = nameOf(key, configId);
      if (!kept.has(name)) await load([{ key, configId }]);
      const config = kept.get(name);
      trim(kept, capacity);
      if (config) return config;
      throw new BorealisError('NOT_FOUND', `job ${jobPath(key)} has no config ${configId}`);
    },
  };
}

function trim(kept: Map<string, TaskConfig>, capacity: number): void {
  for (const name of kept.keys()) {
    if (kept.size <= capacity) return;
    kept.delete(name);
  }
}
