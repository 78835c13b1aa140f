// The two ways of reading many rows: every page of a query, and a batch of keys until none is left unanswered.
import {
  BatchGetCommand,
  type BatchGetCommandOutput,
  QueryCommand,
  type QueryCommandInput,
  type QueryCommandOutput,
} from '@aws-sdk/lib-dynamodb';
import type { Row } from '../codec/row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { backOff, chunks, mapLimit, maxTries } from '../flow.ts';
import type { Key } from '../keys.ts';

const keysPerBatch = 100;
const batchesInFlight = 8;

export interface QueryPage {
  readonly rows: readonly Row[];
  /** Where the next page starts; absent at the end. */
  readonly next?: Record<string, unknown>;
}

export async function queryPage(
  connection: Connection,
  operation: string,
  input: QueryCommandInput,
): Promise<QueryPage> {
  const output = await send<QueryCommandOutput>(connection, operation, 'read', new QueryCommand(input));
  const rows = (output.Items ?? []) as Row[];
  return output.LastEvaluatedKey === undefined ? { rows } : { rows, next: output.LastEvaluatedKey };
}

/** Rows of a query, page after page, up to `limit` if one is given. */
export async function queryAll(
  connection: Connection,
  operation: string,
  input: QueryCommandInput,
  limit = Number.POSITIVE_INFINITY,
): Promise<Row[]> {
  const rows: Row[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const left = limit - rows.length;
    const page = await queryPage(connection, operation, {
      ...input,
      ...(Number.isFinite(left) && { Limit: left }),
      ...(start && { ExclusiveStartKey: start }),
    });
    rows.push(...page.rows);
    start = page.next;
  } while (start !== undefined && rows.length < limit);
  return rows;
}

/** How many rows a query finds, over all its pages, or `limit` if there are more. */
export async function countAll(
  connection: Connection,
  operation: string,
  input: QueryCommandInput,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  let count = 0;
  let start: Record<string, unknown> | undefined;
  do {
    const command = new QueryCommand({
      ...input,
      Select: 'COUNT',
      ...(Number.isFinite(limit) && { Limit: limit - count }),
      ...(start && { ExclusiveStartKey: start }),
    });
    const page = await send<QueryCommandOutput>(connection, operation, 'read', command);
    count += page.Count ?? 0;
    start = page.LastEvaluatedKey;
  } while (start !== undefined && count < limit);
  return count;
}

/** The rows of these keys, consistent, in no order; keys without a row are left out, repeated keys asked once. */
export async function batchGet(
  connection: Connection,
  operation: string,
  table: string,
  keys: readonly Key[],
): Promise<Row[]> {
  const distinct = [...new Map(keys.map(({ pk, sk }) => [`${pk} ${sk}`, { pk, sk }])).values()];
  const parts = await mapLimit(chunks(distinct, keysPerBatch), batchesInFlight, (part) =>
    getPart(connection, operation, table, part),
  );
  return parts.flat();
}

async function getPart(
  connection: Connection,
  operation: string,
  table: string,
  keys: readonly Key[],
): Promise<Row[]> {
  const rows: Row[] = [];
  let left: Record<string, unknown>[] | undefined = keys.map((key) => ({ ...key }));
  for (let attempt = 1; left !== undefined && left.length > 0; attempt++) {
    if (attempt > 1) await backOff(attempt);
    const output: BatchGetCommandOutput = await send(
      connection,
      operation,
      'read',
      new BatchGetCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }),
    );
    const found = (output.Responses?.[table] ?? []) as Row[];
    rows.push(...found);
    left = output.UnprocessedKeys?.[table]?.Keys;
    // Large rows come in several answers; only answers without any row count as tries.
    if (found.length > 0) attempt = 0;
    else if (attempt >= maxTries) throw storeError(operation, unanswered(left?.length ?? 0));
  }
  return rows;
}

function unanswered(count: number): Error {
  const error = new Error(`${count} rows were not read in ${maxTries} tries`);
  error.name = 'ProvisionedThroughputExceededException';
  return error;
}
