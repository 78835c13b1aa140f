// Events other services receive from the bus. Versioned: a field is added, never changed or removed, within a version.
import * as z from 'zod';
import { agentIdSchema, agentModes } from './agent.ts';
import { identifierSchema, jobKeySchema } from './job-key.ts';
import { taskStateSchema } from './task.ts';
import { updateStatuses } from './update.ts';

const isoTime = z.iso.datetime();

/** One state change of a task. `DELETED`: the task was killed before any agent had it, and its record is gone. */
const taskStateChangeSchema = jobKeySchema.extend({
  v: z.literal(1),
  cluster: identifierSchema,
  taskId: z.string(),
  instance: z.number().int(),
  generation: z.number().int(),
  /** Null when the task was just created. */
  from: taskStateSchema.nullable(),
  to: z.union([taskStateSchema, z.literal('DELETED')]),
  at: isoTime,
  message: z.string(),
  agentId: z.string().nullable(),
  configId: z.string(),
  failureCount: z.number().int(),
});

/** A job was submitted, edited, or its newest version is carried out. */
const jobChangeSchema = jobKeySchema.extend({
  v: z.literal(1),
  cluster: identifierSchema,
  change: z.enum(['created', 'changed', 'reconciled', 'removed']),
  specVersion: z.number().int(),
  reconciledVersion: z.number().int(),
  at: isoTime,
});

/** An agent registered, changed its offer or mode, fell silent for too long, came back, or left for good. */
const agentChangeSchema = z.object({
  v: z.literal(1),
  agentId: agentIdSchema,
  change: z.enum(['registered', 'changed', 'lost', 'returned', 'removed']),
  host: z.string(),
  pool: z.string(),
  mode: z.enum(agentModes),
});

/** An update began or came to another status. */
const updateChangeSchema = jobKeySchema.extend({
  v: z.literal(1),
  cluster: identifierSchema,
  updateId: z.string(),
  /** Null when the update has just begun. */
  from: z.enum(updateStatuses).nullable(),
  to: z.enum(updateStatuses),
  at: isoTime,
  /** Who asked for it; null if the update came there by itself. */
  user: z.string().nullable(),
  message: z.string(),
});

export const busEventSchema = z.discriminatedUnion('detailType', [
  z.object({ detailType: z.literal('Task State Change'), detail: taskStateChangeSchema }),
  z.object({ detailType: z.literal('Job Change'), detail: jobChangeSchema }),
  z.object({ detailType: z.literal('Update Change'), detail: updateChangeSchema }),
  z.object({ detailType: z.literal('Agent Change'), detail: agentChangeSchema }),
]);
export type BusEvent = z.infer<typeof busEventSchema>;
