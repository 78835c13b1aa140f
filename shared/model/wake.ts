// The small messages the stream consumer sends inside the control plane. Each is a hint (design D2): handlers re-read
// the store, so a lost, late or repeated one changes nothing but time.
import * as z from 'zod';
import { agentIdSchema } from './agent.ts';
import { jobKeySchema, taskIdSchema } from './job-key.ts';

/** FIFO, message group = pool: drain everything that waits in this pool. */
export const matcherWakeSchema = z.object({ v: z.literal(1), pool: z.string() });
export type MatcherWake = z.infer<typeof matcherWakeSchema>;

/** FIFO, a message group for each job: make tasks match the job's desired state. */
export const reconcileWakeSchema = z.object({ v: z.literal(1), key: jobKeySchema });
export type ReconcileWake = z.infer<typeof reconcileWakeSchema>;

/** FIFO, one message group: make a pass over all agents that are being emptied. */
const drainWakeSchema = z.object({ v: z.literal(1), drain: z.literal('agents') });
export type DrainWake = z.infer<typeof drainWakeSchema>;

/** FIFO, a message group for each job: something happened that its update may have waited for. */
const updateWakeSchema = z.object({
  v: z.literal(1),
  key: jobKeySchema,
  updateId: z.string(),
  /** Instances whose tasks changed, if that is what happened; a hint where to look. */
  instances: z.array(z.number().int().min(0)).max(500).default([]),
});
export type UpdateWake = z.infer<typeof updateWakeSchema>;

/** The messages of the queue of jobs; a reconcile comes last, for an update's message holds all that one has. */
export const jobWorkSchema = z.union([drainWakeSchema, updateWakeSchema, reconcileWakeSchema]);
export type JobWork = z.infer<typeof jobWorkSchema>;

/** What an execution of the update workflow starts with, and hands from state to state. */
const updateRunSchema = z.object({
  v: z.literal(1),
  key: jobKeySchema,
  updateId: z.string(),
  /** Which execution of the update this is; another one with a later number has taken over. */
  sequence: z.number().int().min(1),
  /** Verdicts of this execution so far: it hands over to the next before its history is full. */
  turns: z.number().int().min(0),
});
export type UpdateRun = z.infer<typeof updateRunSchema>;

/** Calls of the update workflow. */
export const updateStepSchema = z.discriminatedUnion('step', [
  /** Look at the update, do what is to be done, say how it goes on. */
  z.object({ step: z.literal('verdict'), run: updateRunSchema }),
  /** Answer with the task token once the instances whose turn it is are up, or something else needs a verdict. */
  z.object({ step: z.literal('await'), run: updateRunSchema, taskToken: z.string().min(1) }),
]);

/** Delayed message (at most 15 minutes): what is to be done when it is due, with a task or with agents. */
export const timerSchema = z.discriminatedUnion('kind', [
  /** THROTTLED -> PENDING at dueAt. */
  z.object({ v: z.literal(1), kind: z.literal('unthrottle'), taskId: taskIdSchema, dueAt: z.number().int() }),
  /** Still KILLING: send the kill again; previousMs feeds the backoff. */
  z.object({ v: z.literal(1), kind: z.literal('killRetry'), taskId: taskIdSchema, previousMs: z.number() }),
  /** Ask for a pass over the agents that are being emptied, once for all timers of this slot of time. */
  z.object({ v: z.literal(1), kind: z.literal('drain'), slot: z.number().int() }),
  /** Look at this update: a slot may be free, or something may have waited for too long. */
  z.object({ v: z.literal(1), kind: z.literal('update'), key: jobKeySchema, updateId: z.string() }),
  /** Make sure that this agent, if there is one, has a command queue that is its own. */
  z.object({ v: z.literal(1), kind: z.literal('agentQueue'), agentId: agentIdSchema }),
]);
export type Timer = z.infer<typeof timerSchema>;
export type UpdateAlarm = Extract<Timer, { kind: 'update' }>;

/** A sweep that ran out of time to itself: these shards are still to be swept. */
export const sweepRoundSchema = z.object({
  /** The same in all rounds of one sweep. */
  id: z.string().min(1),
  round: z.number().int().min(1),
  shards: z.array(z.number().int().min(0)).min(1),
});
export type SweepRound = z.infer<typeof sweepRoundSchema>;

/** Queue of heartbeats: sent by each roll call at its own time (epoch ms), to be found by the next. */
export const probeSchema = z.object({ v: z.literal(1), probe: z.number().int() });
export type Probe = z.infer<typeof probeSchema>;
