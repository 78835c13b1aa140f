// The HTTP API as one table: the router, the CDK app, the OpenAPI document, the typed client and the embedded stack all
// read it. Every job route carries the role in its path, so IAM policies can say who may touch which role (design D11).
import * as z from 'zod';
import { agentIdSchema } from '../model/agent.ts';
import { jobSubmissionSchema, maxInstances } from '../model/job.ts';
import { instanceRangeSchema, jobKeySchema, taskIdSchema } from '../model/job-key.ts';
import { desiredPageSchema } from '../model/protocol.ts';
import { updateRoutes } from './updates.ts';
import {
  acceptedSchema,
  agentListSchema,
  agentViewSchema,
  drainStatusSchema,
  jobDetailSchema,
  jobListSchema,
  taskViewSchema,
  whySchema,
} from './views.ts';

const page = {
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z.string().max(4096).optional(),
};
const flag = z.enum(['true', 'false']).optional();
const none = z.strictObject({});
const message = z.string().max(1024).optional();
const instances = z.array(instanceRangeSchema).min(1).max(1000);

/** Largest request body the API takes, bytes (API Gateway allows 10 MB, a Lambda payload 6 MB). */
export const maxBodyBytes = 1024 * 1024;

export const routes = {
  createJob: {
    method: 'POST',
    path: '/jobs/{role}/{environment}/{name}',
    summary: 'Submit a job. Send an Idempotency-Key header to make a retry safe.',
    params: jobKeySchema,
    query: none,
    body: jobSubmissionSchema,
    response: acceptedSchema,
    status: 201,
  },
  listJobs: {
    method: 'GET',
    path: '/jobs',
    summary: 'All jobs.',
    params: none,
    query: z.strictObject(page),
    body: undefined,
    response: jobListSchema,
    status: 200,
  },
  listRoleJobs: {
    method: 'GET',
    path: '/jobs/{role}',
    summary: 'Jobs of one role.',
    params: jobKeySchema.pick({ role: true }),
    query: z.strictObject(page),
    body: undefined,
    response: jobListSchema,
    status: 200,
  },
  listEnvironmentJobs: {
    method: 'GET',
    path: '/jobs/{role}/{environment}',
    summary: 'Jobs of one role in one environment.',
    params: jobKeySchema.pick({ role: true, environment: true }),
    query: z.strictObject(page),
    body: undefined,
    response: jobListSchema,
    status: 200,
  },
  getJob: {
    method: 'GET',
    path: '/jobs/{role}/{environment}/{name}',
    summary: 'A job with its tasks (active first) and their history.',
    params: jobKeySchema,
    query: z.strictObject({ ...page, history: flag }),
    body: undefined,
    response: jobDetailSchema,
    status: 200,
  },
  killJob: {
    method: 'POST',
    path: '/jobs/{role}/{environment}/{name}/kill',
    summary: 'End instances for good; all of them when none are named. Takes an Idempotency-Key header.',
    params: jobKeySchema,
    query: none,
    body: z.strictObject({ instances: instances.optional(), message }),
    response: acceptedSchema,
    status: 202,
  },
  restartJob: {
    method: 'POST',
    path: '/jobs/{role}/{environment}/{name}/restart',
    summary:
      'End and replace instances; refused unless all named ones are active. Takes an Idempotency-Key header.',
    params: jobKeySchema,
    query: none,
    body: z.strictObject({ instances: instances.optional(), message }),
    response: acceptedSchema,
    status: 202,
  },
  addInstances: {
    method: 'POST',
    path: '/jobs/{role}/{environment}/{name}/instances',
    summary: 'Add instances with the config of an existing one. Takes an Idempotency-Key header.',
    params: jobKeySchema,
    query: none,
    body: z.strictObject({
      count: z.number().int().min(1).max(maxInstances),
      /** Instance whose config is copied; default the highest desired one. */
      template: z.number().int().min(0).optional(),
    }),
    response: acceptedSchema,
    status: 202,
  },
  whyPending: {
    method: 'GET',
    path: '/jobs/{role}/{environment}/{name}/why',
    summary: 'Why tasks wait: reasons with counts, per agent with agents=true.',
    params: jobKeySchema,
    query: z.strictObject({ agents: flag }),
    body: undefined,
    response: whySchema,
    status: 200,
  },
  ...updateRoutes,
  getTask: {
    method: 'GET',
    path: '/tasks/{taskId}',
    summary: 'One task by its id (which starts with the role).',
    params: z.object({ taskId: taskIdSchema }),
    query: none,
    body: undefined,
    response: taskViewSchema,
    status: 200,
  },
  listAgents: {
    method: 'GET',
    path: '/agents',
    summary: 'Agents with their free resources.',
    params: none,
    query: z.strictObject({ ...page, pool: z.string().max(64).optional() }),
    body: undefined,
    response: agentListSchema,
    status: 200,
  },
  getAgent: {
    method: 'GET',
    path: '/agents/{agentId}',
    summary: 'One agent.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: undefined,
    response: agentViewSchema,
    status: 200,
  },
  desiredTasks: {
    method: 'GET',
    path: '/agents/{agentId}/tasks',
    summary: 'What this agent should run: the level it reconciles against.',
    params: z.object({ agentId: agentIdSchema }),
    query: z.strictObject({
      /** Of the agent process that asks; refused (409) once another process has followed it. */
      session: z.string().min(1).max(64).optional(),
      /** `next` of the page before. */
      after: taskIdSchema.optional(),
    }),
    body: undefined,
    response: desiredPageSchema,
    status: 200,
  },
  rebindAgent: {
    method: 'POST',
    path: '/agents/{agentId}/rebind',
    summary: 'Hand an agent id to another identity, or to whoever registers it next.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: z.strictObject({
      /** Unique id of the new owner, as `aws sts get-caller-identity` prints it (UserId). */
      principal: z
        .string()
        .regex(/^[A-Za-z0-9]{4,128}(:[\w+=,.@-]{2,64})?$/)
        .optional(),
    }),
    response: agentViewSchema,
    status: 200,
  },
  drainAgent: {
    method: 'POST',
    path: '/agents/{agentId}/drain',
    summary: 'Empty an agent: nothing new is placed on it, its tasks are ended and replaced elsewhere.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: z.strictObject({
      /** From then on tasks are ended whatever the availability of their jobs; default one hour. */
      deadlineSecs: z
        .number()
        .int()
        .min(0)
        .max(7 * 86_400)
        .optional(),
      /** Share of a service's instances that must stay up meanwhile; one may always go. Default 95. */
      percentage: z.number().min(0).max(100).optional(),
      /** How long an instance must have been RUNNING to count as up; default 30. */
      settledSecs: z.number().int().min(0).max(7200).optional(),
      reason: message,
    }),
    response: agentViewSchema,
    status: 202,
  },
  undrainAgent: {
    method: 'POST',
    path: '/agents/{agentId}/undrain',
    summary: 'Take an agent into use again. Tasks whose end was asked for still end.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: z.strictObject({}),
    response: agentViewSchema,
    status: 200,
  },
  drainStatus: {
    method: 'GET',
    path: '/agents/{agentId}/drain',
    summary: 'How far the emptying of an agent is: the tasks still there and what each waits for.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: undefined,
    response: drainStatusSchema,
    status: 200,
  },
  forgetAgent: {
    method: 'POST',
    path: '/agents/{agentId}/forget',
    summary:
      'Forget a lost agent and its command queue now; refused (409) while it is heard or tasks wait for it.',
    params: z.object({ agentId: agentIdSchema }),
    query: none,
    body: z.strictObject({}),
    response: agentViewSchema,
    status: 200,
  },
  version: {
    method: 'GET',
    path: '/version',
    summary: 'Name and version of this installation.',
    params: none,
    query: none,
    body: undefined,
    response: z.object({ cluster: z.string(), version: z.string() }),
    status: 200,
  },
  health: {
    method: 'GET',
    path: '/health',
    summary: 'Whether the API reaches its store.',
    params: none,
    query: none,
    body: undefined,
    response: z.object({ ok: z.boolean(), store: z.enum(['ok', 'unreachable']) }),
    status: 200,
  },
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document.',
    params: none,
    query: none,
    body: undefined,
    response: z.record(z.string(), z.unknown()),
    status: 200,
  },
} as const;

export type RouteName = keyof typeof routes;
export type RouteParams<N extends RouteName> = z.infer<(typeof routes)[N]['params']>;
export type RouteQuery<N extends RouteName> = z.infer<(typeof routes)[N]['query']>;
export type RouteBody<N extends RouteName> = (typeof routes)[N]['body'] extends z.ZodType
  ? z.infer<(typeof routes)[N]['body']>
  : undefined;
export type RouteResponse<N extends RouteName> = z.infer<(typeof routes)[N]['response']>;
