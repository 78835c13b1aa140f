// The OpenAPI document, made from the same route table and schemas the API checks requests with.
import type * as z from 'zod';
import { createDocument } from 'zod-openapi';
import { errorCodes } from '../lib/errors.ts';
import { pendingReasonSchema } from '../model/reason.ts';
import { resourcesSchema } from '../model/resources.ts';
import { taskConfigSchema } from '../model/task-config.ts';
import { maxBodyBytes, type RouteName, routes } from './routes.ts';
import { updateDetailSchema, updatePlanSchema, updateViewSchema } from './updates.ts';
import { agentViewSchema, jobViewSchema, problemSchema, taskViewSchema } from './views.ts';

type OpenApi = Parameters<typeof createDocument>[0];
type PathItem = NonNullable<OpenApi['paths']>[string];

/** The document for this version of the software, as plain JSON. */
export function buildOpenApi(version: string): Record<string, unknown> {
  const paths: Record<string, PathItem> = {};
  for (const name of Object.keys(routes) as RouteName[]) {
    const route = routes[name];
    const item = (paths[route.path] ?? {}) as Record<string, unknown>;
    item[route.method.toLowerCase()] = operation(name);
    paths[route.path] = item as PathItem;
  }
  const document = createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Borealis',
      version,
      description:
        `Submit jobs and look after them. Failures are problem documents (RFC 9457) whose \`code\` is stable: ` +
        `${Object.keys(errorCodes).join(', ')}. Request bodies have at most ${maxBodyBytes} bytes.`,
    },
    paths,
    components: {
      schemas: {
        Agent: agentViewSchema,
        Job: jobViewSchema,
        PendingReason: pendingReasonSchema,
        Problem: problemSchema,
        Resources: resourcesSchema,
        Task: taskViewSchema,
        TaskConfig: taskConfigSchema,
        Update: updateViewSchema,
        UpdateDetail: updateDetailSchema,
        UpdatePlan: updatePlanSchema,
      },
    },
  });
  return document as unknown as Record<string, unknown>;
}

function operation(name: RouteName): Record<string, unknown> {
  const route = routes[name];
  const header =
    name === 'createJob' || name === 'startUpdate'
      ? [
          {
            in: 'header',
            name: 'Idempotency-Key',
            required: false,
            description: 'The same key with the same body answers as the first time.',
            schema: { type: 'string', minLength: 1, maxLength: 128 },
          },
        ]
      : undefined;
  return {
    operationId: name,
    summary: route.summary,
    requestParams: { path: route.params, query: route.query },
    ...(header && { parameters: header }),
    ...(route.body && { requestBody: { required: true, content: json(route.body) } }),
    responses: {
      [String(route.status)]: { description: 'Success.', content: json(route.response) },
      default: {
        description: 'What failed, what is unchanged, what to do next.',
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    },
  };
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}
