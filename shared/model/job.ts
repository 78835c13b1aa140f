// A job as desired state (design D6): which instance runs which config. Instances are made level-triggered from this.
import * as z from 'zod';
import { identifierSchema, instanceRangeSchema, jobKeySchema } from './job-key.ts';
import { taskConfigSchema } from './task-config.ts';

/** Largest instance number + 1 of a job. Aurora's is 4,000; here 100,000. */
export const maxInstances = 100_000;

/** Rows of jobs and tasks that have ended stay for so long at least, ms; how long is a setting of the installation. */
export const leastKeptMs = 3600_000;

/** Instances that run one config, and the spec version at which they were asked for. */
const desiredRangeSchema = z.object({
  instances: instanceRangeSchema,
  configId: z.string(),
  /** The spec version that added these instances; reconcile creates those with since > reconciledVersion. */
  since: z.number().int().min(1),
});
export type DesiredRange = z.infer<typeof desiredRangeSchema>;

/** A pending request to end and replace running instances, kept until reconcile has carried it out. */
const restartRequestSchema = z.object({
  instances: z.array(instanceRangeSchema),
  /** Tasks of generations up to what existed then are restarted; newer ones are left alone. */
  requestedAt: z.number().int(),
  version: z.number().int(),
  message: z.string(),
});

/** Instances an update left without a task when it was given up; reconcile makes one for each that still has none. */
const refillRequestSchema = z.object({
  instances: z.array(instanceRangeSchema),
  version: z.number().int(),
});

export const jobSchema = jobKeySchema.extend({
  cluster: identifierSchema,
  /** Grows with every accepted change; the condition of every write to this row. */
  specVersion: z.number().int().min(1),
  /** The last spec version whose creations and kills are all in the store. */
  reconciledVersion: z.number().int().min(0),
  desired: z.array(desiredRangeSchema),
  restarts: z.array(restartRequestSchema).default([]),
  refills: z.array(refillRequestSchema).default([]),
  /** The active update. While there is one, only it changes the job. */
  updateId: z.string().optional(),
  /** One more than the highest instance number ever used; bounds the buckets a reader must visit. */
  instanceSpan: z.number().int().min(0),
  /** Audit message of the last kill, used by reconcile. */
  killMessage: z.string().optional(),
  createdBy: z.string(),
  createdAt: z.number().int(),
  updatedAt: z.number().int(),
});
export type Job = z.infer<typeof jobSchema>;

/** What a client submits: the job with its configs inline; instances not covered by a range are refused. */
export const jobSubmissionSchema = z.strictObject({
  role: identifierSchema,
  environment: identifierSchema,
  name: identifierSchema,
  /** Checked against the installation's own name if given. */
  cluster: identifierSchema.optional(),
  /** Instance ranges -> config: one entry for an ordinary job, several for a canary. Ranges must not overlap. */
  configs: z
    .array(
      z.strictObject({ instances: z.array(instanceRangeSchema).min(1).max(1000), task: taskConfigSchema }),
    )
    .min(1)
    .max(1000),
});
export type JobSubmission = z.infer<typeof jobSubmissionSchema>;
