// A task: one generation of one instance, from PENDING to its end (spec/task-lifecycle.md).
import * as z from 'zod';
import { jobKeySchema, taskIdSchema } from './job-key.ts';
import { grantSchema, resourcesSchema } from './resources.ts';
import { constraintSchema } from './task-config.ts';

/** Stored states. INIT (before the first save) and DELETED (no row) exist only in the transition table. */
export const taskStates = [
  'THROTTLED',
  'PENDING',
  'ASSIGNED',
  'STARTING',
  'RUNNING',
  'PARTITIONED',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
  'FINISHED',
  'FAILED',
  'KILLED',
  'LOST',
] as const;
export const taskStateSchema = z.enum(taskStates);
export type TaskState = z.infer<typeof taskStateSchema>;

const terminalStates = ['FINISHED', 'FAILED', 'KILLED', 'LOST'] as const satisfies TaskState[];
export const onAgentStates = [
  'ASSIGNED',
  'STARTING',
  'RUNNING',
  'PARTITIONED',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
] as const satisfies TaskState[];

export function isTerminal(state: TaskState): boolean {
  return (terminalStates as readonly TaskState[]).includes(state);
}
export function isOnAgent(state: TaskState): boolean {
  return (onAgentStates as readonly TaskState[]).includes(state);
}
/** THROTTLED, PENDING or on an agent. */
export function isActive(state: TaskState): boolean {
  return !isTerminal(state);
}

const taskEventSchema = z.object({
  state: taskStateSchema,
  /** Epoch milliseconds. */
  at: z.number().int(),
  message: z.string().optional(),
});
export type TaskEvent = z.infer<typeof taskEventSchema>;

export const taskSchema = jobKeySchema.extend({
  taskId: taskIdSchema,
  instance: z.number().int().min(0),
  /** 1 for the first task of an instance; a successor has its predecessor's + 1 (design D5). */
  generation: z.number().int().min(1),
  configId: z.string(),
  /** The job's spec version that asked for it; copied to successors. */
  spec: z.number().int(),
  state: taskStateSchema,
  pool: z.string(),
  service: z.boolean(),
  priority: z.number().int(),
  maxTaskFailures: z.number().int(),
  resources: resourcesSchema,
  constraints: z.array(constraintSchema),
  /** When this generation was created, epoch ms. */
  createdAt: z.number().int(),
  events: z.array(taskEventSchema),
  /** FAILED runs over all generations of the instance. */
  failureCount: z.number().int().min(0),
  /** Consecutive ancestors that flapped; feeds the penalty without walking the chain. */
  flapStreak: z.number().int().min(0),
  ancestorId: z.string().optional(),
  /** Set from ASSIGNED on; kept after the end. */
  agentId: z.string().optional(),
  grant: grantSchema.optional(),
  /** What its health check may take on top of the deadline of STARTING, seconds; absent = nothing. */
  warmUpSecs: z.number().int().min(1).optional(),
  /** When the present state times out, epoch ms; absent = never. */
  deadlineAt: z.number().int().optional(),
});
export type Task = z.infer<typeof taskSchema>;
