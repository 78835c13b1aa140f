// GET /jobs, /jobs/{role}, /jobs/{role}/{environment}.
import type { ApiDeps, ResourceHandler } from './context.ts';
import { jobViews } from './views.ts';

const defaultLimit = 100;

interface Paging {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export const listJobs: ResourceHandler<'listJobs'> = ({ query }, deps) => list({}, query, deps);

export const listRoleJobs: ResourceHandler<'listRoleJobs'> = ({ params, query }, deps) =>
  list({ role: params.role }, query, deps);

export const listEnvironmentJobs: ResourceHandler<'listEnvironmentJobs'> = ({ params, query }, deps) =>
  list({ role: params.role, environment: params.environment }, query, deps);

async function list(
  filter: { readonly role?: string; readonly environment?: string },
  { limit = defaultLimit, cursor }: Paging,
  deps: ApiDeps,
) {
  const page = await deps.store.listJobs(filter, { limit, ...(cursor !== undefined && { cursor }) });
  return { jobs: await jobViews(page.items, deps.configs), nextCursor: page.next ?? null };
}
