// What an installation uses that AWS bills: counted by bench/cost-units.ts, priced by cli/cost/model.ts.
import * as z from 'zod';

export const usageSchema = z.strictObject({
  /** Invocations of functions. */
  invocations: z.number(),
  /** Memory of the function times duration, GB seconds. */
  gbSeconds: z.number(),
  /** Requests to standard queues, those of the event source mappings included. */
  sqsRequests: z.number(),
  sqsFifoRequests: z.number(),
  /** Requests to the HTTP API. */
  apiRequests: z.number(),
  readUnits: z.number(),
  writeUnits: z.number(),
  /** Events put on the bus. */
  busEvents: z.number(),
  /** Calls of EventBridge Scheduler. */
  schedulerCalls: z.number(),
  logBytes: z.number(),
  /** State transitions of Step Functions. */
  stepTransitions: z.number(),
});
export type Usage = z.infer<typeof usageSchema>;
export type UsageUnit = keyof Usage;

export const nothing = Object.fromEntries(Object.keys(usageSchema.shape).map((unit) => [unit, 0])) as Usage;

/** The sum of usages, each times its factor. */
export function addUsage(...parts: readonly (readonly [usage: Usage, times: number])[]): Usage {
  const sum = { ...nothing };
  for (const [usage, times] of parts) {
    for (const unit of Object.keys(sum) as UsageUnit[]) sum[unit] += usage[unit] * times;
  }
  return sum;
}

/** What was counted, when and how; the numbers the calculator works with. */
export const unitsSchema = z.strictObject({
  /** Date of the measurement. */
  measuredOn: z.iso.date(),
  /** The command that counted them. */
  command: z.string(),
  /** Queues with an event source mapping, which are polled all the time. */
  polledQueues: z.strictObject({ standard: z.number(), fifo: z.number() }),
  alarms: z.number(),
  dashboardMetrics: z.number(),
  /** Numbers the functions emit, each billed for the hours in which it is written. */
  metrics: z.number(),
  /** Nothing runs and no agent is there, per hour; without the polls of the event source mappings. */
  idleHour: usageSchema,
  /** What comes on top once there is an agent, however many: somebody is to be heard at the roll call. Per hour. */
  fleetHour: usageSchema,
  /** One agent that has nothing to do, per hour. */
  agentHour: usageSchema,
  /** One task from PENDING to FINISHED. */
  task: usageSchema,
  tasksPerAgent: z.number(),
  /** A rolling update: what it uses by itself, for each batch, and for each instance with the task that takes its place. */
  update: z.strictObject({ itself: usageSchema, batch: usageSchema, instance: usageSchema }),
});
export type Units = z.infer<typeof unitsSchema>;
