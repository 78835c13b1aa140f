// An update: a service job on its way from the configs it runs to the ones asked for, or back (spec/updates.md section 1).
// The record is small whatever the size of the job: instances are ranges, and how far the update is follows from two
// counters along a fixed order of instances. What happens to single instances is told by events kept elsewhere.
import * as z from 'zod';
import { instanceRangeSchema, jobKeySchema } from './job-key.ts';

/** Not ended yet; the first two are the ones in which the engine acts. */
const activeUpdateStatuses = [
  'ROLLING_FORWARD',
  'ROLLING_BACK',
  'ROLL_FORWARD_PAUSED',
  'ROLL_BACK_PAUSED',
  'ROLL_FORWARD_AWAITING_PULSE',
  'ROLL_BACK_AWAITING_PULSE',
] as const;
const terminalUpdateStatuses = ['ROLLED_FORWARD', 'ROLLED_BACK', 'ABORTED', 'FAILED', 'ERROR'] as const;
export const updateStatuses = [...activeUpdateStatuses, ...terminalUpdateStatuses] as const;
export const updateStatusSchema = z.enum(updateStatuses);
export type UpdateStatus = z.infer<typeof updateStatusSchema>;

/** Ended for good? */
export function isTerminalUpdate(status: UpdateStatus): boolean {
  return (terminalUpdateStatuses as readonly UpdateStatus[]).includes(status);
}

const groupSizeSchema = z.number().int().min(1, 'a group has at least 1 instance').max(100_000);

/** Which waiting instances start, and when (spec section 6). */
const updateStrategySchema = z.discriminatedUnion('kind', [
  /** A slot is filled again as soon as one instance is done. */
  z.strictObject({ kind: z.literal('queue'), groupSize: groupSizeSchema }),
  /** The next group starts when the one before is done. */
  z.strictObject({
    kind: z.literal('batch'),
    groupSize: groupSizeSchema,
    autoPause: z.boolean().default(false),
  }),
  /** Like batch with a size per step; the last size repeats. */
  z.strictObject({
    kind: z.literal('varBatch'),
    groupSizes: z.array(groupSizeSchema).min(1, 'name at least one group size').max(100),
    autoPause: z.boolean().default(false),
  }),
]);
export type UpdateStrategy = z.infer<typeof updateStrategySchema>;

const countSchema = z.number().int().min(0);

/** Everything but the strategy (spec section 4), with its defaults. */
const commonSettings = {
  /** Ends of one instance's new tasks that are borne before the instance counts as failed. */
  maxPerInstanceFailures: countSchema.default(0),
  /** Failed instances that are borne before the update fails. */
  maxFailedInstances: countSchema.default(0),
  /** How long an instance must stay RUNNING to count as done (watch_secs). */
  minWaitInInstanceRunningMs: countSchema.default(45_000),
  rollbackOnFailure: z.boolean().default(true),
  /** The update stops unless it is pulsed this often; 0 = it needs no pulses. */
  blockIfNoPulsesAfterMs: countSchema.default(0),
  /** Each kill waits until the job's SLA policy allows it. */
  slaAware: z.boolean().default(false),
  /** How long an instance may wait for a place, or for others to come back; absent = for ever. */
  placementDeadlineMs: z.number().int().min(1).optional(),
  /** What happens then. On the way back both mean pause. */
  onPlacementDeadline: z.enum(['pause', 'rollback']).default('pause'),
} as const;

/** As stored: every choice made. */
export const updateSettingsSchema = z.strictObject({ strategy: updateStrategySchema, ...commonSettings });
export type UpdateSettings = z.infer<typeof updateSettingsSchema>;

/** As asked for: everything may be left out; the two older ways to say the strategy are understood. */
export const updateSettingsInputSchema = z.strictObject({
  strategy: updateStrategySchema.optional(),
  ...commonSettings,
  /** Deprecated: the group size of a queue, or of batches with `waitForBatchCompletion`. */
  updateGroupSize: groupSizeSchema.optional(),
  /** Deprecated: batches instead of a queue. */
  waitForBatchCompletion: z.boolean().optional(),
});
export type UpdateSettingsInput = z.input<typeof updateSettingsInputSchema>;

/** Instances that run one config, or shall run it. */
export const configuredInstancesSchema = z.object({
  configId: z.string(),
  instances: z.array(instanceRangeSchema),
});
export type ConfiguredInstances = z.infer<typeof configuredInstancesSchema>;

const updateEventSchema = z.object({
  status: updateStatusSchema,
  /** Epoch ms. */
  at: z.number().int(),
  user: z.string().optional(),
  message: z.string().optional(),
});
export type UpdateEvent = z.infer<typeof updateEventSchema>;

/** How far the update is. Positions count along the order of instances (spec section 5). */
const updateProgressSchema = z.object({
  /** The first so many instances of the order have had their turn on the way forward, or have it now. */
  visited: countSchema,
  /** Of those, so many, from the last one backwards, have had their turn on the way back, or have it now. */
  revisited: countSchema,
  /** Whose turn it is, by the time their turn began (or was resumed), epoch ms: failures count from then. */
  working: z.array(z.object({ since: z.number().int(), instances: z.array(instanceRangeSchema) })),
  /** Take-downs that are decided but not yet seen; they count as down (spec: none, see budget.ts). */
  taken: z.array(instanceRangeSchema),
  /** Instances that failed in the present direction. */
  failed: z.array(instanceRangeSchema),
  /** Instances whose turn it is not and that were seen down, of a job too large to be looked at whole; see down.ts. */
  down: z.array(instanceRangeSchema).optional(),
  /** The position before which the update has already paused by itself. */
  autoPausedAt: countSchema.optional(),
});
export type UpdateProgress = z.infer<typeof updateProgressSchema>;

export const updateIdSchema = z.string().regex(/^[\w-]{1,64}$/);

/** What an update was asked to do: other configs, the same ones started anew, more instances, fewer. */
export const updateKinds = ['replace', 'restart', 'add', 'remove'] as const;
export type UpdateKind = (typeof updateKinds)[number];

export const updateRecordSchema = jobKeySchema.extend({
  updateId: updateIdSchema,
  /** Absent = replace. */
  kind: z.enum(updateKinds).optional(),
  status: updateStatusSchema,
  user: z.string(),
  metadata: z.record(z.string().min(1).max(128), z.string().max(1024)),
  settings: updateSettingsSchema,
  /** What is replaced or removed. */
  initial: z.array(configuredInstancesSchema),
  /** What is created or put in place of `initial`; empty if the update only removes. */
  desired: z.array(configuredInstancesSchema),
  progress: updateProgressSchema,
  /** Instances of the job that were down when the update began: not the update's doing (see budget.ts). */
  downAtStart: z.array(instanceRangeSchema),
  /** Epoch ms of the last pulse; 0 = none yet. */
  lastPulseAt: z.number().int().min(0),
  /** The first and the newest ones. */
  events: z.array(updateEventSchema).min(1),
  createdAt: z.number().int(),
  /** Of the last change other than a pulse, epoch ms. */
  updatedAt: z.number().int(),
});
export type UpdateRecord = z.infer<typeof updateRecordSchema>;

export const instanceActions = [
  'INSTANCE_UPDATING',
  'INSTANCE_UPDATED',
  'INSTANCE_UPDATE_FAILED',
  'INSTANCE_ROLLING_BACK',
  'INSTANCE_ROLLED_BACK',
  'INSTANCE_ROLLBACK_FAILED',
] as const;

/** Something that happened to one instance: each action at most once per instance and update. */
const instanceEventSchema = z.object({
  instance: z.number().int().min(0),
  action: z.enum(instanceActions),
  /** Epoch ms. */
  at: z.number().int(),
  message: z.string().optional(),
});
export type InstanceEvent = z.infer<typeof instanceEventSchema>;
