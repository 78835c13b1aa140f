// What agents and the control plane say to each other. Agent -> intake queue: AgentReport. Control plane -> the
// agent's own queue: AgentCommand. Commands are hints; the truth is GET /agents/{agentId}/tasks (design D9).
import * as z from 'zod';
import { agentIdSchema, offerSchema } from './agent.ts';
import { jobKeySchema, taskIdSchema } from './job-key.ts';
import { grantSchema } from './resources.ts';
import { type TaskState, taskStateSchema } from './task.ts';
import { taskConfigSchema } from './task-config.ts';

/** The states an agent may report (spec/task-lifecycle.md section 6). */
export const reportedStates = ['STARTING', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED', 'LOST'] as const;

const taskStatusSchema = z.strictObject({
  taskId: taskIdSchema,
  state: z.enum(reportedStates),
  /** Agent's clock, epoch ms; informative, the store's event time is the control plane's. */
  at: z.number().int(),
  message: z.string().max(1024).optional(),
});
export type TaskStatus = z.infer<typeof taskStatusSchema>;

const envelope = {
  v: z.literal(1),
  agentId: agentIdSchema,
  /** New at every start of the agent process. */
  sessionId: z.string().min(1).max(64),
  sentAt: z.number().int(),
};
/** Largest report the intake reads, bytes: 100 statuses with the longest ids and messages fit. */
export const maxReportBytes = 512 * 1024;
/** Largest offer, bytes: it is read with every placement, and a row takes 400 KB. */
export const maxOfferBytes = 64 * 1024;

export const agentReportSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...envelope, kind: z.literal('register'), offer: offerSchema }),
  /** To a queue of its own. `tasks`: how many the agent has that have not ended. */
  z.strictObject({ ...envelope, kind: z.literal('heartbeat'), tasks: z.number().int().min(0).optional() }),
  /** The machine will go; sent again until it does. */
  z.strictObject({
    ...envelope,
    kind: z.literal('leaving'),
    reason: z.string().max(256),
    /** When it ends, epoch ms; absent if that is not known. */
    terminatesAt: z.number().int().optional(),
  }),
  z.strictObject({
    ...envelope,
    kind: z.literal('status'),
    statuses: z.array(taskStatusSchema).min(1).max(100),
  }),
]);
export type AgentReport = z.infer<typeof agentReportSchema>;

/** Everything an agent needs to run one task. */
export const taskLaunchSchema = jobKeySchema.extend({
  taskId: taskIdSchema,
  cluster: z.string(),
  instance: z.number().int(),
  generation: z.number().int(),
  config: taskConfigSchema,
  grant: grantSchema,
});
export type TaskLaunch = z.infer<typeof taskLaunchSchema>;

export const agentCommandSchema = z.discriminatedUnion('kind', [
  z.object({ v: z.literal(1), kind: z.literal('launch'), tasks: z.array(taskLaunchSchema).min(1) }),
  z.object({ v: z.literal(1), kind: z.literal('kill'), taskIds: z.array(taskIdSchema).min(1) }),
  /** Fetch the level now: something is new that no message can carry. */
  z.object({ v: z.literal(1), kind: z.literal('reconcile') }),
]);
export type AgentCommand = z.infer<typeof agentCommandSchema>;

/**
 * One page of the answer of GET /agents/{agentId}/tasks. Each config is there once however many tasks have it; a task
 * whose config is not there can't be started, but is not missing either.
 */
export const desiredPageSchema = z.object({
  agentId: agentIdSchema,
  /** When the control plane read it, epoch ms. */
  asOf: z.number().int(),
  tasks: z.array(
    z.object({
      state: taskStateSchema,
      /** True: should be running. False: should be ended (KILLING, RESTARTING, DRAINING, PREEMPTING). */
      run: z.boolean(),
      /** `config` only for agents of versions before 0.2, which name no session. */
      launch: taskLaunchSchema.partial({ config: true }).extend({ configId: z.string().default('') }),
    }),
  ),
  configs: z.record(z.string(), taskConfigSchema).default({}),
  /** `after` of the next page; null at the end. */
  next: taskIdSchema.nullable().default(null),
});
export type DesiredPage = z.infer<typeof desiredPageSchema>;

/** The level an agent reconciles against, all pages together. */
export interface DesiredTasks {
  readonly agentId: string;
  /** When its first page was read, epoch ms. */
  readonly asOf: number;
  readonly tasks: readonly {
    readonly state: TaskState;
    readonly run: boolean;
    readonly launch: TaskLaunch;
  }[];
  /** Tasks that belong to the agent and that it can't start. */
  readonly others?: readonly string[];
}

/** Puts pages together. */
export function joinDesired(pages: readonly DesiredPage[]): DesiredTasks {
  const configs = new Map(pages.flatMap((page) => Object.entries(page.configs)));
  const tasks: DesiredTasks['tasks'][number][] = [];
  const others: string[] = [];
  for (const { state, run, launch } of pages.flatMap((page) => page.tasks)) {
    const { configId, ...rest } = launch;
    const config = launch.config ?? configs.get(configId);
    if (config) tasks.push({ state, run, launch: { ...rest, config } });
    else others.push(launch.taskId);
  }
  const [first] = pages;
  return { agentId: first?.agentId ?? '', asOf: first?.asOf ?? 0, tasks, others };
}
