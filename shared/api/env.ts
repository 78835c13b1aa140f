// The environment of each function as a zod schema: the CDK app takes it as a type for what it sets, the handlers
// validate process.env against it at the first invoke, so a missing variable is a compile error or a clear message.
import * as z from 'zod';
import { BorealisError } from '../lib/errors.ts';
import { leastKeptMs } from '../model/job.ts';
import { taskTimeoutsSchema } from '../model/task-timeouts.ts';

/** Waiting tasks a pool may have before no more work is taken for it. */
export const defaultBacklogLimit = 100_000;

const base = {
  BOREALIS_CLUSTER: z.string().min(1),
  STATE_TABLE: z.string().min(3),
  NOTES_TABLE: z.string().min(3),
  /** 'INDEXES' makes the store count write units; off in production by default. */
  METER_CAPACITY: z.enum(['true', 'false']).default('false'),
  /** Deadlines of task states that are not the default. */
  TASK_TIMEOUTS: taskTimeoutsSchema,
  /** How long rows of ended tasks and jobs are kept, seconds (`history_prune_threshold`). */
  HISTORY_SECS: z.coerce
    .number()
    .int()
    .min(leastKeptMs / 1000)
    .default(2 * 86_400),
  /** An agent that was silent for so long is lost; an installation has 90 at least (infra/settings.ts), tests less. */
  AGENT_LOST_AFTER_SECS: z.coerce.number().int().min(5).default(90),
};

/** Silence after which an agent gets no tasks, milliseconds: well before it is lost. */
export function silentAfter(env: { readonly AGENT_LOST_AFTER_SECS: number }): number {
  return Math.round((env.AGENT_LOST_AFTER_SECS * 1000 * 2) / 3);
}

/** How the identity behind an agent is checked (shared/domain/agent/identity.ts). */
const identity = { AGENT_IDENTITY: z.enum(['none', 'bound', 'session']) };
/** Waiting tasks of a pool beyond which no more work is taken (functions/api/admission.ts). */
const backlog = { BACKLOG_LIMIT: z.coerce.number().int().min(1).default(defaultBacklogLimit) };
export const apiEnvSchema = z.object({ ...base, ...identity, ...backlog });
export const fanoutEnvSchema = z.object({
  ...base,
  ...identity,
  MATCHER_QUEUE_URL: z.string(),
  JOBS_QUEUE_URL: z.string(),
  TIMERS_QUEUE_URL: z.string(),
  /** Probes go on there, to arrive behind the reports of agents. */
  INTAKE_QUEUE_URL: z.string(),
  UPDATE_WORKFLOW_ARN: z.string(),
  EVENT_BUS_NAME: z.string(),
  /** Ended tasks of a job that are kept even if it has many (`history_max_per_job_threshold`). */
  HISTORY_MAX_PER_JOB: z.coerce.number().int().min(1).default(100),
});
/** The matcher continues itself through its own queue when its time is short. */
export const matcherEnvSchema = z.object({ ...base, MATCHER_QUEUE_URL: z.string() });
/**
 * It continues itself: through its own queue when its time is short, through the timers while agents are being emptied.
 * Executions of the update workflow are answered.
 */
export const jobWorkerEnvSchema = z.object({
  ...base,
  JOBS_QUEUE_URL: z.string(),
  TIMERS_QUEUE_URL: z.string(),
  UPDATE_WORKFLOW_ARN: z.string(),
  /** Verdicts after which an execution hands over to the next: 15 history events each, of 25,000 that it may have. */
  UPDATE_TURNS_PER_EXECUTION: z.string().regex(/^[1-9]\d{0,3}$/),
});
export const agentEventsEnvSchema = z.object({ ...base, ...identity });
/** A timer that is not yet due is armed again; passes over agents are asked for in the queue of jobs. */
export const timersEnvSchema = z.object({
  ...base,
  ...identity,
  TIMERS_QUEUE_URL: z.string(),
  JOBS_QUEUE_URL: z.string(),
});
/** How long reports may still be under way once heartbeats get through again: hidden, retried, asked for anew. */
export const reportsArriveSecs = 180;
export const sweeperEnvSchema = z.object({
  ...base,
  MATCHER_QUEUE_URL: z.string(),
  JOBS_QUEUE_URL: z.string(),
  TIMERS_QUEUE_URL: z.string(),
  UPDATE_WORKFLOW_ARN: z.string(),
  /** Its own name: it calls itself when its time is short. */
  SWEEPER_FUNCTION: z.string(),
  /** No task is given up for its silence so soon after trouble; tests have less time. */
  REPORTS_ARRIVE_SECS: z.coerce.number().int().min(1).default(reportsArriveSecs),
});
export const rollCallEnvSchema = z.object({
  ...base,
  ...identity,
  HEARTBEAT_QUEUE_URL: z.string(),
  /** An agent that was lost for so long and has no task is forgotten; an installation has 600 at least. */
  AGENT_FORGET_AFTER_SECS: z.coerce.number().int().min(1).default(86_400),
  /** Per cent of the fleet that may be lost within five minutes; one agent always may. */
  AGENT_MASS_PERCENT: z.coerce.number().int().min(1).max(100).default(25),
});
/** Refused commands are put into the dead-letter queue by hand, at the latest at the last of the tries. */
export const commandsEnvSchema = z.object({
  ...base,
  EVENT_BUS_NAME: z.string(),
  COMMAND_DEAD_LETTERS_URL: z.string(),
  COMMAND_TRIES: z.coerce.number().int().min(1),
  ...backlog,
});
/** It sends messages to itself while a machine waits to be terminated. */
export const agentLifecycleEnvSchema = z
  .object({
    ...base,
    LIFECYCLE_QUEUE_URL: z.string(),
    /** How long a termination may be held up, seconds. */
    MAX_DRAIN_SECS: z.coerce.number().int().min(60),
  })
  .omit({ AGENT_LOST_AFTER_SECS: true, TASK_TIMEOUTS: true, HISTORY_SECS: true });
/** It touches no table. */
export const agentQueuesEnvSchema = z.object({ BOREALIS_CLUSTER: base.BOREALIS_CLUSTER });

/** What the environment of every function that uses the store starts with. */
export type StoreEnv = Omit<ApiEnv, keyof typeof identity | keyof typeof backlog>;
export type ApiEnv = z.input<typeof apiEnvSchema>;
export type FanoutEnv = z.input<typeof fanoutEnvSchema>;
export type AgentLifecycleEnv = z.input<typeof agentLifecycleEnvSchema>;
export type MatcherEnv = z.input<typeof matcherEnvSchema>;
export type JobWorkerEnv = z.input<typeof jobWorkerEnvSchema>;
export type AgentEventsEnv = z.input<typeof agentEventsEnvSchema>;
export type TimersEnv = z.input<typeof timersEnvSchema>;
export type SweeperEnv = z.input<typeof sweeperEnvSchema>;
export type RollCallEnv = z.input<typeof rollCallEnvSchema>;
export type CommandsEnv = z.input<typeof commandsEnvSchema>;
export type AgentQueuesEnv = z.input<typeof agentQueuesEnvSchema>;

/** Parses an environment; throws INTERNAL naming each missing or wrong variable. */
export function parseEnv<S extends z.ZodType>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): z.infer<S> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new BorealisError(
    'INTERNAL',
    `the function's environment is incomplete (${wrong}); deploy the stack again`,
    {
      cause: parsed.error,
    },
  );
}
