// Makers of the entities the store tests need, each valid by its schema and easy to bend.

import { newUpdateId } from '../../shared/domain/update/update-id.ts';
import type { Offer } from '../../shared/model/agent.ts';
import type { Job } from '../../shared/model/job.ts';
import { formatTaskId, type JobKey } from '../../shared/model/job-key.ts';
import type { Grant } from '../../shared/model/resources.ts';
import type { Task, TaskState } from '../../shared/model/task.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';
import type { UpdateRecord } from '../../shared/model/update.ts';
import type { PendingRow } from '../../shared/store/port.ts';

/** An ordinary moment: 13 digits, as real times have. */
export const t0 = 1_800_000_000_000;

let counter = 0;
/** Names unique in this process and, by its start time, among processes on one endpoint. */
export function unique(prefix: string): string {
  counter++;
  return `${prefix}-${process.pid.toString(36)}${(Date.now() % 46_656).toString(36)}-${counter}`;
}

export function suffix(): string {
  counter++;
  return counter.toString(36).padStart(8, '0');
}

export function makeJob(over: Partial<Job> = {}): Job {
  return {
    role: 'www-data',
    environment: 'prod',
    name: unique('hello'),
    cluster: 'local',
    specVersion: 1,
    reconciledVersion: 0,
    desired: [{ instances: [0, 2], configId: '0123456789abcdef', since: 1 }],
    restarts: [],
    refills: [],
    instanceSpan: 3,
    createdBy: 'someone',
    createdAt: t0,
    updatedAt: t0,
    ...over,
  };
}

export function makeConfig(over: Partial<TaskConfig> = {}): TaskConfig {
  return {
    service: true,
    tier: 'preferred',
    priority: 0,
    maxTaskFailures: 1,
    constraints: [],
    pool: 'default',
    metadata: {},
    resources: {
      cpuMilli: 100,
      ramMb: 64,
      diskMb: 16,
      gpus: 0,
      gpuMilli: 0,
      gpuModels: [],
      ports: ['http'],
    },
    maxFailures: 1,
    maxConcurrency: 0,
    finalizationWaitSecs: 30,
    processes: [
      {
        name: 'hello',
        cmdline: 'echo hello',
        maxFailures: 1,
        daemon: false,
        ephemeral: false,
        final: false,
        minDurationSecs: 5,
      },
    ],
    ordering: [],
    ...over,
  };
}

/** A new update of instances 0 to 2 from one config to another. */
export function makeUpdate(
  { role, environment, name }: JobKey,
  over: Partial<UpdateRecord> = {},
): UpdateRecord {
  return {
    role,
    environment,
    name,
    updateId: newUpdateId(t0, suffix),
    status: 'ROLLING_FORWARD',
    user: 'someone',
    metadata: {},
    settings: {
      strategy: { kind: 'queue', groupSize: 1 },
      maxPerInstanceFailures: 0,
      maxFailedInstances: 0,
      minWaitInInstanceRunningMs: 0,
      rollbackOnFailure: true,
      blockIfNoPulsesAfterMs: 0,
      slaAware: false,
      onPlacementDeadline: 'pause',
    },
    initial: [{ configId: '0123456789abcdef', instances: [[0, 2]] }],
    desired: [{ configId: 'fedcba9876543210', instances: [[0, 2]] }],
    progress: { visited: 0, revisited: 0, working: [], taken: [], failed: [] },
    downAtStart: [],
    lastPulseAt: 0,
    events: [{ status: 'ROLLING_FORWARD', at: t0, user: 'someone' }],
    createdAt: t0,
    updatedAt: t0,
    ...over,
  };
}

/** A PENDING task unless told otherwise; `taskId` follows from the rest. */
export function makeTask(over: Partial<Task> = {}): Task {
  const task = {
    role: 'www-data',
    environment: 'prod',
    name: 'hello',
    instance: 0,
    generation: 1,
    configId: '0123456789abcdef',
    spec: 1,
    state: 'PENDING' as TaskState,
    pool: 'default',
    service: true,
    priority: 0,
    maxTaskFailures: 1,
    resources: makeConfig().resources,
    constraints: [],
    createdAt: t0,
    events: [{ state: 'PENDING' as TaskState, at: t0 }],
    failureCount: 0,
    flapStreak: 0,
    ...over,
  };
  return { ...task, taskId: over.taskId ?? formatTaskId({ ...task, suffix: suffix() }) };
}

export function makeTasks(count: number, over: Partial<Task> = {}): Task[] {
  return Array.from({ length: count }, (_, instance) => makeTask({ ...over, instance }));
}

/** The row a step later, as applyTransition makes it. */
export function step(task: Task, state: TaskState, over: Partial<Task> = {}): Task {
  const { deadlineAt: _past, ...rest } = task;
  const at = (task.events.at(-1)?.at ?? t0) + 1_000;
  return { ...rest, state, events: [...task.events, { state, at }], ...over };
}

export function successor(task: Task, over: Partial<Task> = {}): Task {
  const { deadlineAt: _deadline, agentId: _agent, grant: _grant, taskId: _id, ...rest } = task;
  return makeTask({
    ...rest,
    generation: task.generation + 1,
    state: 'PENDING',
    createdAt: t0 + 60_000,
    events: [{ state: 'PENDING', at: t0 + 60_000, message: 'Rescheduled' }],
    ancestorId: task.taskId,
    ...over,
  });
}

export function pendingRowOf(task: Task): PendingRow {
  const { taskId, configId, generation, instance, priority, createdAt, resources, constraints } = task;
  const { role, environment, name } = task;
  const key = { role, environment, name };
  return { taskId, configId, generation, instance, key, priority, createdAt, resources, constraints };
}

export function makeOffer(over: Partial<Offer> = {}): Offer {
  const agentId = over.agentId ?? unique('agent');
  return {
    agentId,
    host: `${agentId}.example`,
    pool: 'default',
    capacity: {
      cpuMilli: 8_000,
      ramMb: 16_384,
      diskMb: 100_000,
      gpus: ['V100', 'V100'],
      portRange: [31_000, 32_000],
    },
    attributes: { host: [`${agentId}.example`], rack: ['r1'] },
    version: '0.1.0',
    ...over,
  };
}

export const noGrant: Grant = { gpus: [], ports: {} };
