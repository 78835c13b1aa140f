// Why a task is not placed: codes with numbers, the same in the matcher, the API, `why` and the UI (design D13).
import * as z from 'zod';

export const reasonCodes = [
  'DEDICATED', // the agent is dedicated and the task has no `dedicated` constraint
  'MAINTENANCE', // draining or drained
  'AWAY', // silent or lost
  'CONSTRAINT', // a value constraint is not met, or a limit names an attribute the agent lacks
  'LIMIT', // a limit constraint is reached
  'GPU_MODEL', // no card of an acceptable model
  'CPU',
  'RAM',
  'DISK',
  'GPU', // not enough free cards, or no card with so large a free share
  'PORTS',
  'NO_AGENTS', // the pool has no agent at all
] as const;
export const reasonSchema = z.object({
  code: z.enum(reasonCodes),
  /** Attribute of a constraint or limit. */
  attribute: z.string().optional(),
  /** Asked for and available, in the resource's own unit (thousandths of a core or card, MiB, count). */
  needed: z.number().optional(),
  available: z.number().optional(),
});
export type Reason = z.infer<typeof reasonSchema>;

/** Verdict over a whole pool for one shape of task. */
export const pendingReasonSchema = z.object({
  /** `waiting`: would fit some agent if it were emptier. `neverFits`: no agent, even empty, can take it. */
  verdict: z.enum(['waiting', 'neverFits']),
  agents: z.number().int(),
  /** How many agents each code ruled out (first failing check of each agent). */
  counts: z.array(
    z.object({ code: z.enum(reasonCodes), attribute: z.string().optional(), agents: z.number().int() }),
  ),
  /** The agent that came closest and what it lacked. */
  nearest: z.object({ agentId: z.string(), reasons: z.array(reasonSchema) }).optional(),
  at: z.number().int(),
});
export type PendingReason = z.infer<typeof pendingReasonSchema>;
