// Lists of updates, newest first, narrowed to statuses and a user.
import type { UpdateRecord } from '../../../shared/model/update.ts';
import type { Page } from '../../../shared/store/port.ts';
import type { ApiDeps, ResourceHandler } from '../context.ts';
import { updateView } from './views.ts';

const defaultLimit = 100;

interface Query {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly status?: string | undefined;
  readonly user?: string | undefined;
}
type Read = (page: { readonly limit: number; readonly cursor?: string }) => Promise<Page<UpdateRecord>>;

export const listUpdates: ResourceHandler<'listUpdates'> = ({ query }, deps) =>
  list(query, deps, (page) => deps.store.listUpdates({}, page));

export const listRoleUpdates: ResourceHandler<'listRoleUpdates'> = ({ params, query }, deps) =>
  list(query, deps, (page) => deps.store.listUpdates({ role: params.role }, page));

export const listJobUpdates: ResourceHandler<'listJobUpdates'> = ({ params, query }, deps) =>
  list(query, deps, (page) => deps.store.listJobUpdates(params, page));

/** One page of the store, filtered: it may be short or empty before the end. */
async function list(query: Query, deps: ApiDeps, read: Read) {
  const { limit = defaultLimit, cursor, status, user } = query;
  const page = await read({ limit, ...(cursor !== undefined && { cursor }) });
  const statuses = status?.split(',');
  const items = page.items.filter(
    (update) =>
      (statuses === undefined || statuses.includes(update.status)) &&
      (user === undefined || update.user === user),
  );
  return { updates: items.map((update) => updateView(update, deps.cluster)), nextCursor: page.next ?? null };
}
