// An agent: a machine that registers an offer and runs tasks; and its ledger, what is free on it.
import * as z from 'zod';
import { boundedMap } from './bounded-map.ts';
import { capacitySchema, gpuDeviceSchema } from './resources.ts';

export const agentIdSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/);

/** Attribute name -> values, such as host, rack, dedicated, gpu-model (spec/scheduling.md section 3). */
const attributesSchema = boundedMap(
  z.string().min(1).max(128),
  z.array(z.string().min(1).max(255)).min(1).max(32),
  256,
);
export type Attributes = z.infer<typeof attributesSchema>;

export const agentModes = ['NONE', 'SCHEDULED', 'DRAINING', 'DRAINED'] as const;

/** What an agent says of itself when it registers. */
export const offerSchema = z.strictObject({
  agentId: agentIdSchema,
  host: z.string().min(1).max(255),
  pool: z.string().regex(/^[\w-]{1,64}$/),
  capacity: capacitySchema,
  attributes: attributesSchema,
  /** Software version of the agent. */
  version: z.string().max(64),
});
export type Offer = z.infer<typeof offerSchema>;

/**
 * Free amounts of one agent, the row every placement is conditional on. `live` holds the `liveId` of each task whose
 * resources are taken; a release is a conditional removal from it, so releasing twice changes nothing.
 */
const ledgerSchema = z.object({
  agentId: agentIdSchema,
  version: z.number().int().min(1),
  freeCpuMilli: z.number().int(),
  freeRamMb: z.number().int(),
  freeDiskMb: z.number().int(),
  gpus: z.array(gpuDeviceSchema),
  usedPorts: z.array(z.number().int()),
  live: z.array(z.string()),
});
export type Ledger = z.infer<typeof ledgerSchema>;

/** How much of a job may be down because of a drain, unless told otherwise (spec/scheduling.md section 10). */
export const defaultAvailability = { percentage: 95, settledSecs: 30 } as const;

/** Times are epoch ms. */
const drainSchema = z.object({
  requestedAt: z.number().int(),
  /** From then on tasks are ended whatever the availability of their jobs. */
  deadlineAt: z.number().int(),
  /** Share of a service's instances that must be up; one may always be taken. */
  percentage: z.number().min(0).max(100),
  /** An instance counts as up once it has been RUNNING for so long. */
  settledSecs: z.number().int().min(0),
  reason: z.string(),
  requestedBy: z.string(),
});
/** Why and until when an agent is emptied; kept while its mode is DRAINING or DRAINED. */
export type Drain = z.infer<typeof drainSchema>;

export const agentSchema = offerSchema.extend({
  mode: z.enum(agentModes),
  drain: drainSchema.optional(),
  registeredAt: z.number().int(),
  /** Session of the agent process that registered last. */
  sessionId: z.string(),
  /** Unique id of the IAM identity the agent id belongs to; absent where identities are not checked, or after a rebind. */
  principal: z.string().max(256).optional(),
  /** When that session registered, by the intake queue's clock. */
  sessionAt: z.number().int().optional(),
  /** Sessions that this one followed, newest first. */
  pastSessions: z.array(z.string()).optional(),
  /** It has been silent for so long that it was declared lost at this time; absent once it is back. */
  lostAt: z.number().int().optional(),
});
export type Agent = z.infer<typeof agentSchema>;
