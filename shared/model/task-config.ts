// The immutable description of one task: what runs, what it needs, how its health is judged. Stored once per content
// (config id = hash) and shared by every instance that runs it. Field meanings: spec/config.md sections 2-7.
import * as z from 'zod';
import { boundedMap } from './bounded-map.ts';
import { resourcesSchema } from './resources.ts';

/** A process name: no leading dot, no slash (spec/config.md section 4). */
export const processNameSchema = z.string().regex(/^[^./~][^/]{0,127}$/);

const loggerSchema = z.strictObject({
  destination: z.enum(['file', 'console', 'both', 'none']).default('file'),
  mode: z.enum(['standard', 'rotate']).default('rotate'),
  /** Size at which a log file is rotated, MiB. */
  rotateSizeMb: z.number().int().min(1).default(100),
  rotateBackups: z.number().int().min(1).max(100).default(5),
});

export const processSchema = z.strictObject({
  name: processNameSchema,
  /** Run by `/bin/bash -c`. */
  cmdline: z.string().min(1).max(65_536),
  /** Non-zero exits before the process has failed for good; 0 = unlimited. */
  maxFailures: z.number().int().min(0).default(1),
  /** A success re-runs it. */
  daemon: z.boolean().default(false),
  /** Not needed for the task to complete. */
  ephemeral: z.boolean().default(false),
  /** Runs in the finalisation stage only. */
  final: z.boolean().default(false),
  /** Least time between the end of a run and the next start, seconds. */
  minDurationSecs: z.number().min(0).default(5),
  logger: loggerSchema.optional(),
});
export type ProcessConfig = z.infer<typeof processSchema>;

export const healthCheckSchema = z.strictObject({
  /** Exactly one of http and shell; shell wins in Aurora, here naming both is refused. */
  http: z
    .strictObject({
      port: z.string().max(64).default('health'),
      endpoint: z.string().startsWith('/').max(1024).default('/health'),
      /** Compared trimmed and lower-cased; empty = any body. */
      expectedResponse: z.string().max(1024).default('ok'),
      /** 0 = any. */
      expectedResponseCode: z.number().int().min(0).max(599).default(0),
    })
    .optional(),
  shell: z.strictObject({ command: z.string().min(1).max(65_536) }).optional(),
  initialIntervalSecs: z.number().min(0).default(15),
  intervalSecs: z.number().positive().default(10),
  maxConsecutiveFailures: z.number().int().min(0).default(0),
  minConsecutiveSuccesses: z.number().int().min(1).default(1),
  timeoutSecs: z.number().positive().default(1),
});
export type HealthCheckConfig = z.infer<typeof healthCheckSchema>;

/** HTTP steps of the kill escalation (spec/executor.md section 8). */
export const httpLifecycleSchema = z.strictObject({
  port: z.string().max(64).default('health'),
  gracefulShutdownEndpoint: z.string().startsWith('/').max(1024).default('/quitquitquit'),
  shutdownEndpoint: z.string().startsWith('/').max(1024).default('/abortabortabort'),
  gracefulShutdownWaitSecs: z.number().min(0).max(300).default(5),
  shutdownWaitSecs: z.number().min(0).max(300).default(5),
});

/** `a`, `a,b`, `!a`, `limit:N` (spec/scheduling.md section 3), parsed. */
export const constraintSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('value'),
    attribute: z.string().min(1).max(128),
    negated: z.boolean(),
    values: z.array(z.string().min(1).max(255)).min(1).max(64),
  }),
  z.strictObject({
    kind: z.literal('limit'),
    attribute: z.string().min(1).max(128),
    limit: z.number().int().min(1),
  }),
]);
export type Constraint = z.infer<typeof constraintSchema>;

/** What becomes of a task whose agent is lost (spec/task-lifecycle.md section 8); without one it is LOST at once. */
export const partitionPolicySchema = z.strictObject({
  /** False: wait until the agent returns or somebody acts. */
  reschedule: z.boolean().default(true),
  /** Seconds the agent has to come back before the task is LOST and replaced; at most a week. */
  delaySecs: z.number().int().min(0).max(604_800).default(0),
});
export type PartitionPolicy = z.infer<typeof partitionPolicySchema>;

export const taskConfigSchema = z.strictObject({
  /** Restart whatever ends. */
  service: z.boolean(),
  tier: z.enum(['preferred', 'preemptible', 'revocable']),
  /** Larger is more important; orders the pending queue and, later, preemption. */
  priority: z.number().int().min(0).max(99_999),
  /** Runs of an instance that may fail; -1 = unlimited; ignored for services. */
  maxTaskFailures: z.number().int().min(-1),
  constraints: z.array(constraintSchema).max(32),
  /** The pool of agents (one matcher each) this task goes to. */
  pool: z.string().regex(/^[\w-]{1,64}$/),
  contact: z.string().max(255).optional(),
  metadata: boundedMap(z.string().min(1).max(128), z.string().max(1024), 256),
  resources: resourcesSchema,
  /** Processes that may fail for good before the task fails; 0 = never. */
  maxFailures: z.number().int().min(0),
  /** Processes at once; 0 = unlimited. */
  maxConcurrency: z.number().int().min(0),
  /** Budget for clean-up and final processes when the task ends on its own, seconds. */
  finalizationWaitSecs: z.number().min(0).max(3600),
  processes: z.array(processSchema).min(1).max(128),
  /** Each list runs its processes one after another. */
  ordering: z.array(z.array(processNameSchema).min(2).max(128)).max(256),
  healthCheck: healthCheckSchema.optional(),
  /** Absent = no HTTP steps before SIGTERM. */
  httpLifecycle: httpLifecycleSchema.optional(),
  /** Absent = LOST and replaced as soon as its agent is lost. */
  partitionPolicy: partitionPolicySchema.optional(),
});
export type TaskConfig = z.infer<typeof taskConfigSchema>;
