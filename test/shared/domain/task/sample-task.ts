// Tasks and sources of randomness for the tests of the domain.
import { defaultFlapping } from '../../../../shared/domain/task/flapping.ts';
import { createTask } from '../../../../shared/domain/task/successor.ts';
import { defaultTimeouts } from '../../../../shared/domain/task/timeouts.ts';
import type { IdSource, RandomSource } from '../../../../shared/lib/ports.ts';
import { isOnAgent, type Task, type TaskEvent, type TaskState } from '../../../../shared/model/task.ts';
import { type TaskConfig, taskConfigSchema } from '../../../../shared/model/task-config.ts';

export const jobKey = { role: 'ads', environment: 'prod', name: 'web.server' };

export const sampleConfig: TaskConfig = taskConfigSchema.parse({
  service: false,
  tier: 'preferred',
  priority: 7,
  maxTaskFailures: 1,
  constraints: [{ kind: 'limit', attribute: 'host', limit: 1 }],
  pool: 'default',
  metadata: {},
  resources: { cpuMilli: 500, ramMb: 64, diskMb: 32, ports: ['http'] },
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 30,
  processes: [{ name: 'main', cmdline: 'true' }],
  ordering: [],
});

/** Ids a1, a2, ... */
export function countingIds(): IdSource {
  let count = 0;
  return () => `a${++count}`;
}

export function sources(random: RandomSource = () => 0.5) {
  return { ids: countingIds(), random };
}

export const grant = { gpus: [], ports: { http: 31_000 } };

/** Input of applyTransition at a time, with the default timeouts and flapping numbers. */
export function at(now: number, more: { message?: string; expected?: TaskState } = {}) {
  return { now, timeouts: defaultTimeouts, flapping: defaultFlapping, agentId: 'agent-1', grant, ...more };
}

/** A task in a state, with a history of the given [state, time] pairs or of the state alone at time 0. */
export function sampleTask(
  state: TaskState,
  more: Partial<Task> = {},
  history?: [TaskState, number][],
): Task {
  const events = (history ?? [[state, 0]]).map(([one, time]): TaskEvent => ({ state: one, at: time }));
  const first = createTask(
    { job: jobKey, instance: 3, generation: 1, configId: 'c1', spec: 2, config: sampleConfig, now: 0 },
    () => 'first',
  );
  return { ...first, ...(isOnAgent(state) && { agentId: 'agent-1', grant }), state, events, ...more };
}
