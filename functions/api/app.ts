// The HTTP API: the route table bound to its handlers by middy's router. Validation, errors and headers are the same
// for every route; a resource file holds only what is its own.
import httpRouter from '@middy/http-router';
import type { Context } from 'aws-lambda';
import { type RouteName, routes } from '../../shared/api/routes.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { type HttpEvent, type HttpResult, httpChain, jsonResponse } from '../middleware/http.ts';
import { desiredTasks, getAgent, listAgents, rebindAgent } from './agents.ts';
import type { ApiDeps, ApiRequest, ResourceHandler, ResourceHandlers } from './context.ts';
import { createJob } from './create-job.ts';
import { drainAgent, drainStatus, undrainAgent } from './drain-agent.ts';
import { addInstances, killJob, restartJob } from './edit-job.ts';
import { forgetAgent } from './forget-agent.ts';
import { getJob } from './get-job.ts';
import { listEnvironmentJobs, listJobs, listRoleJobs } from './list-jobs.ts';
import { health, openapi, version } from './meta.ts';
import { readRequest } from './read-request.ts';
import { getTask } from './tasks.ts';
import {
  abortUpdate,
  pauseUpdate,
  pulseUpdate,
  resumeUpdate,
  rollbackUpdate,
} from './updates/call-update.ts';
import { getUpdate, listUpdateEvents } from './updates/get-update.ts';
import { listJobUpdates, listRoleUpdates, listUpdates } from './updates/list-updates.ts';
import { planUpdate } from './updates/plan-update.ts';
import { startUpdate } from './updates/start-update.ts';
import { whyPending } from './why.ts';

const handlers: ResourceHandlers = {
  createJob,
  listJobs,
  listRoleJobs,
  listEnvironmentJobs,
  getJob,
  killJob,
  restartJob,
  addInstances,
  whyPending,
  startUpdate,
  planUpdate,
  listJobUpdates,
  listUpdates,
  listRoleUpdates,
  getUpdate,
  listUpdateEvents,
  pauseUpdate,
  resumeUpdate,
  abortUpdate,
  rollbackUpdate,
  pulseUpdate,
  getTask,
  listAgents,
  getAgent,
  desiredTasks,
  rebindAgent,
  drainAgent,
  undrainAgent,
  drainStatus,
  forgetAgent,
  version,
  health,
  openapi,
};

/** The API as one Lambda handler (HTTP API payload format 2.0). */
export function createApi(deps: ApiDeps) {
  const router = httpRouter<HttpEvent, HttpResult>({
    routes: (Object.keys(routes) as RouteName[]).map((name) => ({
      method: routes[name].method,
      path: routes[name].path,
      handler: (event: HttpEvent) => serve(name, event, deps),
    })),
    notFoundResponse: ({ method, path }) => {
      throw unknownRoute(method, path);
    },
  }) as unknown as (event: HttpEvent, context: Context) => Promise<HttpResult>;
  return httpChain(deps.log, (event, context) => {
    const { method, path } = event.requestContext.http;
    // The router takes an event without them for one of another service.
    if (!method || !path) throw unknownRoute(method || 'no method', path || 'empty path');
    return router(event, context);
  });
}

async function serve<N extends RouteName>(name: N, event: HttpEvent, deps: ApiDeps): Promise<HttpResult> {
  const request = readRequest(name, event);
  const handler = handlers[name] as unknown as ResourceHandler<N>;
  const answer = await handler(request as ApiRequest<N>, deps);
  return jsonResponse(routes[name].status, answer);
}

/** Paths of the table as patterns, to tell a wrong method from a wrong path. */
const patterns = Object.values(routes).map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
}));

function unknownRoute(method: string, path: string): BorealisError {
  const allowed = patterns.filter(({ pattern }) => pattern.test(path)).map((route) => route.method);
  const shown = path.length > 200 ? `${path.slice(0, 200)}...` : path;
  if (allowed.length === 0) {
    return new BorealisError(
      'ROUTE_NOT_FOUND',
      `there is no ${shown} here; GET /openapi.json lists every route`,
    );
  }
  return new BorealisError(
    'METHOD_NOT_ALLOWED',
    `${shown} does not take ${method}; use ${[...new Set(allowed)].join(' or ')}`,
    { details: { allowed: [...new Set(allowed)] } },
  );
}
