// Reads of updates: one, those of a job or role, those the sweeper should look at, and what happened to instances.
import { GetCommand, type GetCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import type { InstanceEvent, UpdateRecord } from '../../model/update.ts';
import type { Row } from '../codec/row.ts';
import { decodeInstanceEvents, decodeUpdates } from '../codec/update-row.ts';
import { type Connection, send } from '../connection.ts';
import {
  callbackKeyOf,
  instanceEventsPartition,
  type Key,
  parseUpdateDue,
  updateBounds,
  updateDirectory,
  updateKeyOf,
  updatePartition,
  updatePlanKeyOf,
  updatesDuePartition,
} from '../keys.ts';
import type { Page, StoredUpdate, UpdateCallback } from '../port.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { type DueQuery, dueEntries } from './due.ts';
import { batchGet, queryAll, queryPage } from './query.ts';
import { roleAfter } from './roles.ts';

/** Consistent. */
export async function getUpdate(
  connection: Connection,
  key: JobKey,
  updateId: string,
): Promise<StoredUpdate | undefined> {
  const [from, to] = updateBounds(updateId);
  const rows = await queryAll(connection, 'getUpdate', {
    TableName: connection.state,
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
    ExpressionAttributeValues: { ':pk': updatePartition(key), ':from': from, ':to': to },
    ConsistentRead: true,
  });
  return decodeUpdates(rows)[0];
}

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

/** Newest first. Each update is two rows, next to each other. */
export async function listJobUpdates(
  connection: Connection,
  key: JobKey,
  page: PageRequest,
): Promise<Page<UpdateRecord>> {
  const [after] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 1);
  const pk = updatePartition(key);
  const rows = await queryAll(
    connection,
    'listJobUpdates',
    {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ScanIndexForward: false,
      ConsistentRead: true,
      ...(after !== undefined && { ExclusiveStartKey: { pk, sk: after } }),
    },
    2 * page.limit,
  );
  const items = decodeUpdates(rows).map(({ update }) => update);
  const last = rows.at(-1);
  return rows.length < 2 * page.limit || last === undefined
    ? { items }
    : { items, next: encodeCursor([String(last.sk)]) };
}

/** By role, and within it the newest first. A page may be short, since ended updates go away in time. */
export async function listUpdates(
  connection: Connection,
  filter: { readonly role?: string },
  page: PageRequest,
): Promise<Page<UpdateRecord>> {
  const [startRole, startId] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  const items: UpdateRecord[] = [];
  let role = filter.role ?? startRole ?? (await roleAfter(connection, 'listUpdates', undefined));
  let after = role === startRole ? startId : undefined;
  while (role !== undefined) {
    const found = await updatesOfRole(connection, { role, after, limit: page.limit - items.length });
    items.push(...found.updates);
    if (found.last !== undefined) return { items, next: encodeCursor([role, found.last]) };
    role = filter.role === undefined ? await roleAfter(connection, 'listUpdates', role) : undefined;
    after = undefined;
  }
  return { items };
}

/** `last`: id of the last update looked at if there may be more. */
async function updatesOfRole(
  connection: Connection,
  input: { readonly role: string; readonly after: string | undefined; readonly limit: number },
): Promise<{ readonly updates: readonly UpdateRecord[]; readonly last?: string }> {
  const { role, after, limit } = input;
  const pk = updateDirectory(role);
  const entries = await queryAll(
    connection,
    'listUpdates',
    {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ScanIndexForward: false,
      ...(after !== undefined && { ExclusiveStartKey: { pk, sk: after } }),
    },
    limit,
  );
  const keys = entries.flatMap((entry): Key[] => {
    const key = { role, environment: String(entry.en), name: String(entry.nm) };
    const updateId = String(entry.sk);
    return [updateKeyOf(key, updateId), updatePlanKeyOf(key, updateId)];
  });
  const rows = keys.length === 0 ? [] : await batchGet(connection, 'listUpdates', connection.state, keys);
  const found = new Map(decodeUpdates(rows).map(({ update }) => [update.updateId, update]));
  const updates = entries.flatMap((entry) => found.get(String(entry.sk)) ?? []);
  const last = entries.at(-1)?.sk as string | undefined;
  return entries.length < limit || last === undefined ? { updates } : { updates, last };
}

/** Oldest first. */
export async function listInstanceEvents(
  connection: Connection,
  key: JobKey,
  updateId: string,
  page: PageRequest,
): Promise<Page<InstanceEvent>> {
  const pk = instanceEventsPartition(key, updateId);
  // The cursor names the row to go on in, and how many of its events were given.
  const [startRow, given] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  const items: InstanceEvent[] = [];
  let next: Record<string, unknown> | undefined;
  do {
    const found = await queryPage(connection, 'listInstanceEvents', {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk AND sk >= :from',
      ExpressionAttributeValues: { ':pk': pk, ':from': startRow ?? 'E#' },
      Limit: 20,
      ...(next && { ExclusiveStartKey: next }),
    });
    for (const row of found.rows) {
      const skip = row.sk === startRow ? Number(given) : 0;
      const events = decodeInstanceEvents(row);
      const room = page.limit - items.length;
      items.push(...events.slice(skip, skip + room));
      if (events.length - skip > room) {
        return { items, next: encodeCursor([String(row.sk), String(skip + room)]) };
      }
    }
    next = found.next;
  } while (next !== undefined);
  return { items };
}

/** Longest due first; read from the due index, so it may lag. */
export async function listDueUpdates(
  connection: Connection,
  due: DueQuery,
): Promise<{ readonly key: JobKey; readonly updateId: string; readonly dueAt: number }[]> {
  const partition = updatesDuePartition(due.shard);
  const entries = await dueEntries(connection, 'listDueUpdates', partition, due);
  return entries.flatMap(({ gt }) => parseUpdateDue(String(gt)) ?? []);
}

/** Consistent. */
export async function getCallback(
  connection: Connection,
  updateId: string,
): Promise<UpdateCallback | undefined> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getCallback',
    'read',
    new GetCommand({ TableName: connection.notes, Key: callbackKeyOf(updateId), ConsistentRead: true }),
  );
  const row = Item as Row | undefined;
  if (row === undefined) return undefined;
  const status = String(row.s) as UpdateCallback['status'];
  return {
    updateId,
    sequence: Number(row.q),
    status,
    turnsBegun: Number(row.n),
    taskToken: String(row.tk),
  };
}
