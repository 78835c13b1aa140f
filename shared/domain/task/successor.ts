// New rows: the first task of an instance, and the successor of one that ended (spec/task-lifecycle.md section 4,
// RESCHEDULE). A successor's key follows from its predecessor's (design D5), so writing it twice is impossible.
import type { IdSource, RandomSource } from '../../lib/ports.ts';
import { formatTaskId, type JobKey } from '../../model/job-key.ts';
import type { Task } from '../../model/task.ts';
import type { TaskConfig } from '../../model/task-config.ts';
import { type FlappingSettings, penaltyMs, successorStreak } from './flapping.ts';
import { warmUpSecs } from './timeouts.ts';

export interface NewTask {
  readonly job: JobKey;
  readonly instance: number;
  /** One more than the highest generation known of the instance; 1 for the first. */
  readonly generation: number;
  readonly configId: string;
  /** The job's spec version that asks for the task. */
  readonly spec: number;
  readonly config: TaskConfig;
  /** Epoch ms. */
  readonly now: number;
}

/** The first task of an instance, or of an instance that is asked for again: PENDING, without a message. */
export function createTask(input: NewTask, ids: IdSource): Task {
  const { config, now } = input;
  const { role, environment, name } = input.job;
  const { instance, generation } = input;
  const warmUp = warmUpSecs(config.healthCheck);
  return {
    role,
    environment,
    name,
    taskId: formatTaskId({ role, environment, name, instance, generation, suffix: ids() }),
    instance,
    generation,
    configId: input.configId,
    spec: input.spec,
    state: 'PENDING',
    pool: config.pool,
    service: config.service,
    priority: config.priority,
    maxTaskFailures: config.maxTaskFailures,
    resources: config.resources,
    constraints: config.constraints,
    createdAt: now,
    events: [{ state: 'PENDING', at: now }],
    failureCount: 0,
    flapStreak: 0,
    ...(warmUp > 0 && { warmUpSecs: warmUp }),
  };
}

/** The next generation of an ended task, with the ended task's config (not the job's newest): PENDING or THROTTLED. */
export function successorOf(
  ended: Task,
  now: number,
  flapping: FlappingSettings,
  sources: { readonly ids: IdSource; readonly random: RandomSource },
): Task {
  const { agentId: _agent, grant: _grant, deadlineAt: _deadline, ...kept } = ended;
  const generation = ended.generation + 1;
  const penalty = penaltyMs(ended, flapping, sources.random);
  const state = penalty > 0 ? 'THROTTLED' : 'PENDING';
  const message = penalty > 0 ? `Rescheduled, penalized for ${penalty} ms for flapping` : 'Rescheduled';
  return {
    ...kept,
    taskId: formatTaskId({ ...ended, generation, suffix: sources.ids() }),
    generation,
    state,
    createdAt: now,
    events: [{ state, at: now, message }],
    flapStreak: successorStreak(ended, flapping),
    ancestorId: ended.taskId,
    ...(penalty > 0 && { deadlineAt: now + penalty }),
  };
}
