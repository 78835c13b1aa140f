// Reads of tasks by id, by job, by agent and by due time. All end in consistent reads of the rows themselves; an index
// only says where to look.
import { GetCommand, type GetCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import { isOnAgent, type Task } from '../../model/task.ts';
import type { Row } from '../codec/row.ts';
import { decodeTask } from '../codec/task-row.ts';
import { type Connection, send } from '../connection.ts';
import { mapLimit } from '../flow.ts';
import { bucketOf, dueBound, instanceBounds, type Key, taskKeyOfId, taskPartition } from '../keys.ts';
import type { Page, SetAside } from '../port.ts';
import { onAgentIndex } from '../tables.ts';
import { cursorAfter, type DueQuery, dueEntries } from './due.ts';
import { batchGet, queryAll } from './query.ts';
import { decodeAll } from './readable.ts';

const bucketsInFlight = 16;

/** Undefined if no row has this very id, also when the instance and generation belong to another task. */
export async function getTask(connection: Connection, taskId: string): Promise<Task | undefined> {
  const key = taskKeyOfId(taskId);
  if (key === undefined) return undefined;
  const { Item } = await send<GetCommandOutput>(
    connection,
    'getTask',
    'read',
    new GetCommand({ TableName: connection.state, Key: { pk: key.pk, sk: key.sk }, ConsistentRead: true }),
  );
  return Item?.x === key.suffix ? decodeTask(Item) : undefined;
}

export async function getTasks(
  connection: Connection,
  taskIds: readonly string[],
  aside?: SetAside,
): Promise<Task[]> {
  const wanted = new Set(taskIds);
  const keys = taskIds.flatMap((taskId) => taskKeyOfId(taskId) ?? []);
  const rows = await batchGet(connection, 'getTasks', connection.state, keys);
  return decodeAll(rows, decodeTask, aside).filter(({ taskId }) => wanted.has(taskId));
}

/** In order of instance and generation. */
export async function listTasks(
  connection: Connection,
  key: JobKey,
  [lo, hi]: readonly [lo: number, hi: number],
  aside?: SetAside,
): Promise<Task[]> {
  if (hi < lo) return [];
  const [from, to] = instanceBounds(lo, hi);
  const buckets = Array.from({ length: bucketOf(hi) - bucketOf(lo) + 1 }, (_, index) => bucketOf(lo) + index);
  const rows = await mapLimit(buckets, bucketsInFlight, (bucket) =>
    queryAll(connection, 'listTasks', {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: { ':pk': taskPartition(key, bucket), ':from': from, ':to': to },
      ConsistentRead: true,
    }),
  );
  return decodeAll(rows.flat(), decodeTask, aside);
}

export async function listOnAgent(
  connection: Connection,
  agentId: string,
  aside?: SetAside,
): Promise<Task[]> {
  const entries = await queryAll(connection, 'listOnAgent', {
    TableName: connection.state,
    IndexName: onAgentIndex.name,
    KeyConditionExpression: '#agent = :agent',
    ExpressionAttributeNames: { '#agent': onAgentIndex.partitionKey },
    ExpressionAttributeValues: { ':agent': agentId },
  });
  const tasks = await rowsOf(connection, 'listOnAgent', entries);
  return decodeAll(tasks, decodeTask, aside).filter(
    (task) => task.agentId === agentId && isOnAgent(task.state),
  );
}

/** Oldest entries first; rows whose entry has moved or gone since the index was read are left out of the page. */
export async function listDue(connection: Connection, due: DueQuery, aside?: SetAside): Promise<Page<Task>> {
  const entries = await dueEntries(connection, 'listDue', String(due.shard), due);
  const bound = dueBound(due.now);
  const rows = await rowsOf(connection, 'listDue', entries);
  const inOrder = rows
    .filter((row) => typeof row.gt === 'string' && row.gt < bound)
    .sort((a, b) => ((a.gt as string) < (b.gt as string) ? -1 : 1));
  const items = decodeAll(inOrder, decodeTask, aside);
  const next = cursorAfter(entries, due.limit);
  return next === undefined ? { items } : { items, next };
}

function rowsOf(connection: Connection, operation: string, entries: readonly Row[]): Promise<Row[]> {
  const keys = entries.map((entry): Key => ({ pk: entry.pk as string, sk: entry.sk as string }));
  return batchGet(connection, operation, connection.state, keys);
}
