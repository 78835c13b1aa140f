// What the API answers: views of the stored entities with ISO times. One schema each, used by the handlers to answer, by
// the OpenAPI document, by the typed client and by the CLI.
import * as z from 'zod';
import { agentModes, agentSchema } from '../model/agent.ts';
import { identifierSchema, instanceRangeSchema, jobKeySchema } from '../model/job-key.ts';
import { pendingReasonSchema, reasonSchema } from '../model/reason.ts';
import { grantSchema, resourcesSchema } from '../model/resources.ts';
import { holdReasons, presences } from '../model/roster.ts';
import { taskStateSchema } from '../model/task.ts';
import { taskConfigSchema } from '../model/task-config.ts';

const isoTime = z.iso.datetime();

export const taskViewSchema = jobKeySchema.extend({
  instance: z.number().int(),
  taskId: z.string(),
  generation: z.number().int(),
  state: taskStateSchema,
  /** Null until assigned. */
  agentId: z.string().nullable(),
  configId: z.string(),
  failureCount: z.number().int(),
  ancestorId: z.string().nullable(),
  resources: resourcesSchema,
  grant: grantSchema.nullable(),
  createdAt: isoTime,
  deadlineAt: isoTime.nullable(),
  events: z.array(z.object({ state: taskStateSchema, at: isoTime, message: z.string() })),
});
export type TaskView = z.infer<typeof taskViewSchema>;

export const jobViewSchema = jobKeySchema.extend({
  /** cluster/role/environment/name */
  key: z.string(),
  cluster: identifierSchema,
  service: z.boolean(),
  tier: z.string(),
  priority: z.number().int(),
  /** Number of desired instances. */
  instances: z.number().int(),
  desired: z.array(z.object({ instances: instanceRangeSchema, configId: z.string() })),
  specVersion: z.number().int(),
  /** False while creations or kills of the newest spec are still being carried out. */
  reconciled: z.boolean(),
  contact: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  createdBy: z.string(),
  createdAt: isoTime,
  updatedAt: isoTime,
});
export type JobView = z.infer<typeof jobViewSchema>;

/** Tasks by bucket (spec/task-lifecycle.md section 2): pending, active (on an agent), finished, failed. */
export const jobCountsSchema = z.object({
  pending: z.number().int(),
  active: z.number().int(),
  finished: z.number().int(),
  failed: z.number().int(),
});

export const jobDetailSchema = z.object({
  job: jobViewSchema,
  counts: jobCountsSchema,
  /** Active tasks first (by instance), then history, newest first. */
  tasks: z.array(taskViewSchema),
  configs: z.record(z.string(), taskConfigSchema),
  /** Pass as `cursor` for the next page of tasks; null at the end. */
  nextCursor: z.string().nullable(),
});
export type JobDetail = z.infer<typeof jobDetailSchema>;

export const jobListSchema = z.object({ jobs: z.array(jobViewSchema), nextCursor: z.string().nullable() });

export const whySchema = z.object({
  job: z.string(),
  /** One entry per config with tasks that wait. */
  pending: z.array(
    z.object({
      configId: z.string(),
      instances: z.array(instanceRangeSchema),
      /** Null when no matcher has looked yet. */
      reason: pendingReasonSchema.nullable(),
      /** On request: every agent of the pool with all that stands against it. */
      agents: z.array(z.object({ agentId: z.string(), reasons: z.array(reasonSchema) })).optional(),
    }),
  ),
  /** Held back for flapping. */
  throttled: z.array(z.object({ instance: z.number().int(), until: isoTime.nullable() })),
});
export type Why = z.infer<typeof whySchema>;

const drainViewSchema = z.object({
  requestedAt: isoTime,
  deadlineAt: isoTime,
  percentage: z.number(),
  settledSecs: z.number().int(),
  reason: z.string(),
  requestedBy: z.string(),
});
export type DrainView = z.infer<typeof drainViewSchema>;

export const agentViewSchema = agentSchema
  .omit({
    registeredAt: true,
    sessionId: true,
    sessionAt: true,
    pastSessions: true,
    lostAt: true,
    drain: true,
  })
  .extend({
    mode: z.enum(agentModes),
    /** silent: not heard for a while, gets no tasks. lost: declared so, its tasks were dealt with. */
    presence: z.enum(presences),
    /** Null unless the agent is being emptied, or has been. */
    drain: drainViewSchema.nullable(),
    registeredAt: isoTime,
    /** Heard by the roll call of each minute. */
    lastSeenAt: isoTime.nullable(),
    free: z.object({
      cpuMilli: z.number(),
      ramMb: z.number(),
      diskMb: z.number(),
      gpuMilli: z.array(z.number()),
    }),
    /** Tasks whose resources are taken. */
    tasks: z.array(z.string()),
  });
export type AgentView = z.infer<typeof agentViewSchema>;

/** How far a drain is. `hold` null: the next pass ends the task. */
export const drainStatusSchema = z.object({
  agentId: z.string(),
  mode: z.enum(agentModes),
  drain: drainViewSchema.nullable(),
  tasks: z.array(
    z.object({
      taskId: z.string(),
      state: taskStateSchema,
      hold: z
        .discriminatedUnion('kind', [
          /** Its end has been asked for. */
          z.object({ kind: z.literal('ENDING') }),
          /** Batch work may finish until the deadline. */
          z.object({ kind: z.literal('BATCH') }),
          /** As many of its job's instances are down as may be. */
          z.object({
            kind: z.literal('AVAILABILITY'),
            total: z.number().int(),
            up: z.number().int(),
            allowedDown: z.number().int(),
          }),
        ])
        .nullable(),
    }),
  ),
});
export type DrainStatus = z.infer<typeof drainStatusSchema>;

export const agentListSchema = z.object({
  agents: z.array(agentViewSchema),
  /** Present while silent agents are not declared lost: LATE - heartbeats were late; MASS - too many fell silent. */
  hold: z
    .object({
      reason: z.enum(holdReasons),
      since: isoTime,
      silent: z.number().int(),
      agents: z.number().int(),
    })
    .optional(),
  nextCursor: z.string().nullable(),
});

/** Answer of every accepted change: what was asked is recorded, not yet carried out. */
export const acceptedSchema = z.object({ job: jobViewSchema, message: z.string() });
export type Accepted = z.infer<typeof acceptedSchema>;

/** RFC 9457 problem document, the body of every failure. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  /** Stable code to branch on (shared/lib/errors.ts). */
  code: z.string(),
  /** What failed, what is unchanged, what to do next. */
  detail: z.string(),
  requestId: z.string(),
  /** A further try has a chance after so many seconds; the header `retry-after` says the same. */
  retryAfterSecs: z.number().int().min(0).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof problemSchema>;
