// Updates at the API: what a caller asks for, and views of what is stored (spec/updates.md, client-and-ui.md section 3).
// Ranges of instances are inclusive pairs, times are ISO 8601, durations milliseconds.
import * as z from 'zod';
import { boundedMap } from '../model/bounded-map.ts';
import { jobSubmissionSchema, maxInstances } from '../model/job.ts';
import { identifierSchema, instanceRangeSchema, jobKeySchema } from '../model/job-key.ts';
import { pendingReasonSchema } from '../model/reason.ts';
import { taskStateSchema } from '../model/task.ts';
import {
  configuredInstancesSchema,
  instanceActions,
  updateIdSchema,
  updateKinds,
  updateSettingsInputSchema,
  updateSettingsSchema,
  updateStatuses,
  updateStatusSchema,
} from '../model/update.ts';

const isoTime = z.iso.datetime();
const count = z.number().int();
const ranges = z.array(instanceRangeSchema);
const askedRanges = ranges.min(1).max(1000);
const message = z.string().max(1024).optional();

/** What shall become of the job. */
const changeSchema = z.discriminatedUnion('kind', [
  /** The whole job as it shall be; a job that does not exist yet is created. */
  z.strictObject({ kind: z.literal('replace'), configs: jobSubmissionSchema.shape.configs }),
  /** The same configs: every instance (or those of `only`) is ended and created anew. */
  z.strictObject({ kind: z.literal('restart') }),
  /** More instances, numbered on from the highest. `template`: whose config is copied; default the highest. */
  z.strictObject({
    kind: z.literal('add'),
    count: count.min(1).max(maxInstances),
    template: count.min(0).optional(),
  }),
  /** Fewer instances: those named, or the `count` highest ones. */
  z
    .strictObject({
      kind: z.literal('remove'),
      instances: askedRanges.optional(),
      count: count.min(1).max(maxInstances).optional(),
    })
    .refine(({ instances, count: highest }) => (instances === undefined) !== (highest === undefined), {
      error: 'name either the instances or a count',
    }),
]);

/** The body of `plan`; `start` takes the same and more. */
const planBodySchema = z.strictObject({
  change: changeSchema,
  /** Only these instances are touched. */
  only: askedRanges.optional(),
  settings: updateSettingsInputSchema.optional(),
  /** The version of the job the caller has looked at (`version` of a plan; 0 = no job); refused if it is another. */
  expectedVersion: count.min(0).optional(),
});
const startBodySchema = planBodySchema.extend({
  message,
  /** Free labels, kept with the update. */
  metadata: boundedMap(z.string().min(1).max(128), z.string().max(1024), 256).optional(),
});

export type UpdateBody = z.infer<typeof planBodySchema>;

/** How many instances of the update's present direction are where. */
const progressCountsSchema = z.object({
  total: count,
  /** Their turn is still to come. */
  waiting: count,
  working: count,
  done: count,
  failed: count,
});

/** One group of instances that have their turn together; a queue is cut into groups of its size. */
const batchSchema = z.object({
  /** From 1, in the order of the way forward. */
  number: count,
  instances: ranges,
  ...progressCountsSchema.shape,
});

export const updateViewSchema = jobKeySchema.extend({
  /** cluster/role/environment/name */
  job: z.string(),
  updateId: updateIdSchema,
  kind: z.enum(updateKinds),
  status: updateStatusSchema,
  /** Not ended yet. */
  active: z.boolean(),
  direction: z.enum(['forward', 'back']),
  user: z.string(),
  /** Of the last change of status. */
  message: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  progress: progressCountsSchema,
  /** The batch that is worked on, or comes next; null when the update has ended. */
  batch: batchSchema.nullable(),
  /** Number of batches of the way forward. */
  batches: count,
  createdAt: isoTime,
  updatedAt: isoTime,
});
export type UpdateView = z.infer<typeof updateViewSchema>;

/** Where one instance is whose turn it is. */
const workingInstanceSchema = z.object({
  instance: count,
  /** Why nothing can be done for it at this moment (`WaitReason` of the engine), null if something can. */
  waitsFor: z.string().nullable(),
  since: isoTime.nullable(),
  taskId: z.string().nullable(),
  state: taskStateSchema.nullable(),
  agentId: z.string().nullable(),
  configId: z.string().nullable(),
  /** Why no agent takes it, if that is what it waits for and a matcher has looked. */
  reason: pendingReasonSchema.nullable(),
});

export const updateDetailSchema = updateViewSchema.extend({
  settings: updateSettingsSchema,
  initial: z.array(configuredInstancesSchema),
  desired: z.array(configuredInstancesSchema),
  /** The instances behind the counts of `progress`. */
  instances: z.object({
    waiting: ranges,
    working: ranges,
    done: ranges,
    failed: ranges,
    /** On the way back: never touched, so nothing is to be put back. */
    untouched: ranges,
  }),
  /** At most 200, the present one among them. */
  batchList: z.array(batchSchema),
  /** At most 200 of those whose turn it is, in the order of turns. */
  working: z.array(workingInstanceSchema),
  events: z.array(
    z.object({
      status: updateStatusSchema,
      at: isoTime,
      user: z.string().nullable(),
      message: z.string().nullable(),
    }),
  ),
  lastPulseAt: isoTime.nullable(),
});
export type UpdateDetail = z.infer<typeof updateDetailSchema>;

export const updateListSchema = z.object({
  updates: z.array(updateViewSchema),
  /** Pass as `cursor` for the next page; null at the end. A page may be empty before the end. */
  nextCursor: z.string().nullable(),
});

const instanceEventsSchema = z.object({
  events: z.array(
    z.object({
      instance: count,
      action: z.enum(instanceActions),
      at: isoTime,
      message: z.string().nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

const diffSchema = z.object({ add: ranges, remove: ranges, update: ranges, unchanged: ranges });

/** What one instance goes through, as far as can be foreseen. */
const stepSchema = z.object({
  instance: count,
  batch: count,
  /** The task that is ended. */
  kill: z
    .object({
      taskId: z.string(),
      state: taskStateSchema,
      agentId: z.string().nullable(),
      configId: z.string(),
    })
    .nullable(),
  /** The task that is created, and the agent that would take it now, or why none would. */
  create: z
    .object({
      configId: z.string(),
      agentId: z.string().nullable(),
      reason: pendingReasonSchema.nullable(),
    })
    .nullable(),
});

export const updatePlanSchema = z.object({
  job: z.string(),
  /** Version of the job the plan was made from; send it as `expectedVersion`. 0 = there is no such job. */
  version: count,
  /** False: there is nothing to do. */
  changed: z.boolean(),
  diff: diffSchema,
  settings: updateSettingsSchema,
  batches: count,
  /** In the order of turns. */
  steps: z.array(stepSchema),
  /** Instances whose steps are not listed, since there are too many. */
  unlisted: count,
});
export type UpdatePlan = z.infer<typeof updatePlanSchema>;

/** The answer of start. */
const updateStartedSchema = z.object({
  /** Null: the job is as proposed already. */
  update: updateViewSchema.nullable(),
  diff: diffSchema,
  message: z.string(),
});
const updateCalledSchema = z.object({ update: updateViewSchema, message: z.string() });
const pulsedSchema = z.object({
  /** FINISHED: the update has ended and needs no more pulses. */
  answer: z.enum(['OK', 'FINISHED']),
  update: updateViewSchema,
});

const page = {
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z.string().max(4096).optional(),
};
const filters = {
  ...page,
  /** Comma list of status names. */
  status: z
    .string()
    .max(512)
    .regex(new RegExp(`^(?:${updateStatuses.join('|')})(?:,(?:${updateStatuses.join('|')}))*$`))
    .optional(),
  user: z.string().max(512).optional(),
};
const none = z.strictObject({});
/** An id, or `active` or `latest` for the job's active or newest update. */
const updateParams = jobKeySchema.extend({ updateId: updateIdSchema });
const updatesPath = '/jobs/{role}/{environment}/{name}/updates';

/** The routes of updates, part of the route table (routes.ts). */
export const updateRoutes = {
  startUpdate: {
    method: 'POST',
    path: updatesPath,
    summary: 'Start an update of a service. Send an Idempotency-Key header to make a retry safe.',
    params: jobKeySchema,
    query: none,
    body: startBodySchema,
    response: updateStartedSchema,
    status: 202,
  },
  planUpdate: {
    method: 'POST',
    path: `${updatesPath}/plan`,
    summary:
      'What such an update would end, create and keep, and where new tasks would be placed. Changes nothing.',
    params: jobKeySchema,
    query: none,
    body: planBodySchema,
    response: updatePlanSchema,
    status: 200,
  },
  listJobUpdates: {
    method: 'GET',
    path: updatesPath,
    summary: 'Updates of a job, newest first.',
    params: jobKeySchema,
    query: z.strictObject(filters),
    body: undefined,
    response: updateListSchema,
    status: 200,
  },
  listUpdates: {
    method: 'GET',
    path: '/updates',
    summary: 'Updates of all jobs.',
    params: none,
    query: z.strictObject(filters),
    body: undefined,
    response: updateListSchema,
    status: 200,
  },
  listRoleUpdates: {
    method: 'GET',
    path: '/updates/{role}',
    summary: 'Updates of the jobs of one role, newest first.',
    params: z.object({ role: identifierSchema }),
    query: z.strictObject(filters),
    body: undefined,
    response: updateListSchema,
    status: 200,
  },
  getUpdate: {
    method: 'GET',
    path: `${updatesPath}/{updateId}`,
    summary: 'An update with its progress; the id may be `active` or `latest`.',
    params: updateParams,
    query: none,
    body: undefined,
    response: updateDetailSchema,
    status: 200,
  },
  listUpdateEvents: {
    method: 'GET',
    path: `${updatesPath}/{updateId}/events`,
    summary: 'What happened to the instances of an update, oldest first.',
    params: updateParams,
    query: z.strictObject(page),
    body: undefined,
    response: instanceEventsSchema,
    status: 200,
  },
  pauseUpdate: {
    method: 'POST',
    path: `${updatesPath}/{updateId}/pause`,
    summary: 'Stop an update where it is.',
    params: updateParams,
    query: none,
    body: z.strictObject({ message }),
    response: updateCalledSchema,
    status: 202,
  },
  resumeUpdate: {
    method: 'POST',
    path: `${updatesPath}/{updateId}/resume`,
    summary: 'Let a paused update go on.',
    params: updateParams,
    query: none,
    body: z.strictObject({ message }),
    response: updateCalledSchema,
    status: 202,
  },
  abortUpdate: {
    method: 'POST',
    path: `${updatesPath}/{updateId}/abort`,
    summary: 'Give an update up: `hold` leaves every instance as it is, `rollback` puts them back first.',
    params: updateParams,
    query: none,
    body: z.strictObject({ instances: z.enum(['hold', 'rollback']), message }),
    response: updateCalledSchema,
    status: 202,
  },
  rollbackUpdate: {
    method: 'POST',
    path: `${updatesPath}/{updateId}/rollback`,
    summary: 'Put back what the update has changed, in reverse.',
    params: updateParams,
    query: none,
    body: z.strictObject({ message }),
    response: updateCalledSchema,
    status: 202,
  },
  pulseUpdate: {
    method: 'POST',
    path: `${updatesPath}/{updateId}/pulse`,
    summary: 'Say that all is well, so that a coordinated update goes on.',
    params: updateParams,
    query: none,
    body: none,
    response: pulsedSchema,
    status: 202,
  },
} as const;
