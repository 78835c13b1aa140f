// Reads of jobs and their configs.
import { GetCommand, type GetCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../model/job.ts';
import { type JobKey, jobPath, parseJobPath } from '../../model/job-key.ts';
import type { TaskConfig } from '../../model/task-config.ts';
import { decodeConfig, decodeJob } from '../codec/job-row.ts';
import type { Row } from '../codec/row.ts';
import { type Connection, send } from '../connection.ts';
import {
  configKeyOf,
  jobKeyOf,
  jobPrefix,
  rolePartition,
  tokenKeyOf,
  unreconciledPartition,
} from '../keys.ts';
import type { ClientToken, Page } from '../port.ts';
import { ttlAttribute } from '../tables.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { type DueQuery, dueEntries } from './due.ts';
import { batchGet, queryPage } from './query.ts';
import { roleAfter } from './roles.ts';

export async function getJob(connection: Connection, key: JobKey): Promise<Job | undefined> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getJob',
    'read',
    new GetCommand({ TableName: connection.state, Key: jobKeyOf(key), ConsistentRead: true }),
  );
  return Item && decodeJob(Item);
}

/** What a token was used for; undefined if it is free (`now`: epoch ms). */
export async function tokenUse(
  connection: Connection,
  value: string,
  now: number,
): Promise<Omit<ClientToken, 'value'> | undefined> {
  const { Item } = await send<GetCommandOutput>(
    connection,
    'tokenUse',
    'read',
    new GetCommand({ TableName: connection.state, Key: tokenKeyOf(value), ConsistentRead: true }),
  );
  const expiresAt = Number(Item?.[ttlAttribute]);
  if (!Item || expiresAt <= Math.floor(now / 1000)) return undefined;
  return { requestHash: String(Item.h), ...(Item.u !== undefined && { updateId: String(Item.u) }) };
}

interface JobsFilter {
  readonly role?: string;
  readonly environment?: string;
}

/** By role, then environment and name. Without a role, every role of the directory in turn. */
export async function listJobs(
  connection: Connection,
  filter: JobsFilter,
  page: { readonly limit: number; readonly cursor?: string },
): Promise<Page<Job>> {
  const [startRole, startJob] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  const items: Job[] = [];
  let role: string | undefined =
    filter.role ?? startRole ?? (await roleAfter(connection, 'listJobs', undefined));
  let after = role === startRole ? startJob : undefined;
  while (role !== undefined) {
    const left = page.limit - items.length;
    const found = await jobsOfRole(connection, { role, environment: filter.environment, after, limit: left });
    items.push(...found.rows.map(decodeJob));
    if (items.length >= page.limit) {
      const last = found.rows.at(-1)?.sk as string;
      return { items, next: encodeCursor([role, last]) };
    }
    role = filter.role === undefined ? await roleAfter(connection, 'listJobs', role) : undefined;
    after = undefined;
  }
  return { items };
}

/** Up to `limit` rows; fewer only at the end. */
async function jobsOfRole(
  connection: Connection,
  input: {
    readonly role: string;
    readonly environment: string | undefined;
    readonly after: string | undefined;
    readonly limit: number;
  },
): Promise<{ readonly rows: readonly Row[] }> {
  const rows: Row[] = [];
  const pk = rolePartition(input.role);
  let start: Record<string, unknown> | undefined =
    input.after === undefined ? undefined : { pk, sk: input.after };
  do {
    const page = await queryPage(connection, 'listJobs', {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': pk, ':prefix': jobPrefix(input.environment) },
      Limit: input.limit - rows.length,
      ...(start && { ExclusiveStartKey: start }),
    });
    rows.push(...page.rows);
    start = page.next;
  } while (start !== undefined && rows.length < input.limit);
  return { rows };
}

/** Configs by content id; they never change, so a process reads each once. */
export async function getConfigs(
  connection: Connection,
  cache: Map<string, TaskConfig>,
  key: JobKey,
  configIds: readonly string[],
): Promise<ReadonlyMap<string, TaskConfig>> {
  const path = jobPath(key);
  const found = new Map<string, TaskConfig>();
  const missing = new Set<string>();
  for (const configId of configIds) {
    const cached = cache.get(`${path}#${configId}`);
    if (cached) found.set(configId, cached);
    else missing.add(configId);
  }
  if (missing.size === 0) return found;
  const keys = [...missing].map((configId) => configKeyOf(key, configId));
  for (const row of await batchGet(connection, 'getConfigs', connection.state, keys)) {
    const configId = row.sk as string;
    const config = decodeConfig(row);
    found.set(configId, config);
    remember(cache, `${path}#${configId}`, config);
  }
  return found;
}

const cachedConfigs = 2_000;

function remember(cache: Map<string, TaskConfig>, id: string, config: TaskConfig): void {
  const [oldest] = cache.keys();
  if (cache.size >= cachedConfigs && oldest !== undefined) cache.delete(oldest);
  cache.set(id, config);
}

/** Keys of jobs in one shard that should have been reconciled by now; read from the due index, so it may lag. */
export async function listUnreconciled(connection: Connection, due: DueQuery): Promise<JobKey[]> {
  const partition = unreconciledPartition(due.shard);
  const entries = await dueEntries(connection, 'listUnreconciled', partition, due);
  return entries.flatMap(({ gt }) => parseJobPath(String(gt).slice(String(gt).indexOf('#') + 1)) ?? []);
}
