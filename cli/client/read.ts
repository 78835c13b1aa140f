// Reads that take several pages, as one answer each.
import type { ApiClient } from '../../shared/api/client.ts';
import type { RouteResponse } from '../../shared/api/routes.ts';
import type { UpdateView } from '../../shared/api/updates.ts';
import type { AgentView, JobDetail, JobView } from '../../shared/api/views.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import type { UpdateStatus } from '../../shared/model/update.ts';
import type { JobPattern } from '../keys.ts';

const pageSize = 1000;

export interface ReadJobOptions {
  /** With the tasks that have ended; default true. */
  readonly history?: boolean;
  readonly signal?: AbortSignal;
}

/** A job with all its tasks, whatever number of pages they take. NOT_FOUND if there is no such job. */
export async function readJob(
  client: ApiClient,
  key: JobKey,
  options: ReadJobOptions = {},
): Promise<JobDetail> {
  const history = options.history === false ? 'false' : 'true';
  const page = (cursor?: string): Promise<JobDetail> =>
    client.call('getJob', {
      params: key,
      query: { limit: pageSize, history, ...(cursor !== undefined && { cursor }) },
      ...(options.signal && { signal: options.signal }),
    });
  const first = await page();
  const tasks = [...first.tasks];
  const configs = { ...first.configs };
  for (let cursor = first.nextCursor; cursor !== null; ) {
    const next = await page(cursor);
    tasks.push(...next.tasks);
    Object.assign(configs, next.configs);
    cursor = next.nextCursor;
  }
  return { ...first, tasks, configs, nextCursor: null };
}

/** What `read` finds on each page, until there is no further one. */
async function everyPage<P extends { readonly nextCursor: string | null }, T>(
  read: (query: { limit: number; cursor?: string }) => Promise<P>,
  items: (page: P) => readonly T[],
): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await read({ limit: pageSize, ...(cursor !== undefined && { cursor }) });
    found.push(...items(page));
    cursor = page.nextCursor;
  }
  return found;
}

/** Every job a pattern matches, sorted by key. */
export async function listMatching(
  client: ApiClient,
  pattern: JobPattern,
  signal: AbortSignal,
): Promise<JobView[]> {
  const { role, environment } = pattern;
  const found = await everyPage(
    (query) =>
      role === undefined
        ? client.call('listJobs', { query, signal })
        : environment === undefined
          ? client.call('listRoleJobs', { params: { role }, query, signal })
          : client.call('listEnvironmentJobs', { params: { role, environment }, query, signal }),
    ({ jobs }) => jobs.filter((job) => pattern.matches(job.cluster, job)),
  );
  return found.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** Every agent, or those of one pool, sorted by id. */
export async function listAllAgents(
  client: ApiClient,
  options: { readonly pool?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<AgentView[]> {
  const found = await everyPage(
    (page) =>
      client.call('listAgents', {
        query: { ...page, ...(options.pool !== undefined && { pool: options.pool }) },
        ...(options.signal && { signal: options.signal }),
      }),
    ({ agents }) => agents,
  );
  return found.toSorted((a, b) => (a.agentId < b.agentId ? -1 : 1));
}

export interface ListUpdatesOptions {
  readonly statuses?: readonly UpdateStatus[] | undefined;
  readonly user?: string | undefined;
  readonly signal: AbortSignal;
}

/** Every update of the jobs that a pattern matches, the most recently changed first. */
export async function listMatchingUpdates(
  client: ApiClient,
  pattern: JobPattern,
  { statuses, user, signal }: ListUpdatesOptions,
): Promise<UpdateView[]> {
  const { role } = pattern;
  const narrow = { ...(statuses && { status: statuses.join(',') }), ...(user !== undefined && { user }) };
  const found = await everyPage(
    (page) => {
      const query = { ...page, ...narrow };
      return role === undefined
        ? client.call('listUpdates', { query, signal })
        : client.call('listRoleUpdates', { params: { role }, query, signal });
    },
    ({ updates }) => updates.filter((one) => pattern.matches(one.job.split('/', 1)[0] ?? '', one)),
  );
  return found.toSorted((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt));
}

export type InstanceEvents = RouteResponse<'listUpdateEvents'>['events'];

/** Everything that an update did to each instance. */
export function listInstanceEvents(
  client: ApiClient,
  { role, environment, name, updateId }: JobKey & { readonly updateId: string },
  signal: AbortSignal,
): Promise<InstanceEvents> {
  const params = { role, environment, name, updateId };
  return everyPage(
    (query) => client.call('listUpdateEvents', { params, query, signal }),
    ({ events }) => events,
  );
}
