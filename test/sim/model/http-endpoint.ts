// The model behind DynamoDB's own protocol, so that the real client and the store contract can talk to it.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { notesTable, stateTable } from '../../../shared/store/tables.ts';
import { MemoryDynamo, type StreamEntry } from './memory-dynamo.ts';
import { type Attributes, fromAttribute, fromAttributes, toAttributes } from './values.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
type Json = any;

export interface ModelEndpoint {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/**
 * Tables named `borealis-notes...` get the notes table's definition, all others the state table's. `indexLagMs`: how long
 * the next change takes to show in the indexes; they never lag if it is left out.
 */
export async function startModelEndpoint(
  options: { indexLagMs?: () => number } = {},
): Promise<ModelEndpoint> {
  const entries: StreamEntry[] = [];
  const onCommit = (_changes: unknown, added: readonly StreamEntry[]) => entries.push(...added);
  const dynamo = new MemoryDynamo({ ...options, now: Date.now, onCommit });
  const server = createServer((request, response) => {
    const send = (status: number, body: Json) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(body, asBase64));
    };
    answer(dynamo, entries, request).then(
      (body) => send(200, body),
      (error: Json) => {
        const { name, message, Item, CancellationReasons } = error;
        send(name === 'Error' || name === 'TypeError' ? 500 : 400, {
          __type: `com.amazonaws.dynamodb.v20120810#${name}`,
          message,
          ...(Item && { Item }),
          ...(CancellationReasons && { CancellationReasons }),
        });
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(dynamo: MemoryDynamo, entries: StreamEntry[], request: IncomingMessage): Promise<Json> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const input = JSON.parse(text || '{}', binary) as Json;
  const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
  switch (operation) {
    case 'CreateTable':
      dynamo.createTable(input.TableName, input.TableName.includes('notes') ? notesTable : stateTable);
      return { TableDescription: { TableName: input.TableName, TableStatus: 'ACTIVE' } };
    case 'DescribeTable':
      dynamo.table(input.TableName);
      return {
        Table: {
          TableName: input.TableName,
          TableStatus: 'ACTIVE',
          LatestStreamArn: `stream/${input.TableName}`,
        },
      };
    case 'UpdateTimeToLive':
      return {};
    case 'ListStreams':
      return { Streams: [{ StreamArn: `stream/${input.TableName}`, TableName: input.TableName }] };
    case 'DescribeStream':
      return { StreamDescription: { StreamArn: input.StreamArn, Shards: [{ ShardId: 'shard-0' }] } };
    case 'GetShardIterator':
      return { ShardIterator: '0' };
    case 'GetRecords': {
      const from = Number(input.ShardIterator);
      const records = entries.slice(from, from + 1000);
      return {
        Records: records.map(({ eventName, dynamodb }) => ({ eventName, dynamodb })),
        NextShardIterator: String(from + records.length),
      };
    }
    default:
      return encoded(dynamo.execute(operation, decoded(input)));
  }
}

/** Binary attributes travel as base64: `{ B: text }`, which no other object of the protocol looks like. */
function binary(name: string, value: Json): Json {
  return name === 'B' && typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value;
}

/** A Buffer has become plain data by the time a replacer sees it; other arrays of bytes have not. */
function asBase64(name: string, value: Json): Json {
  return name === 'B' && value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

const itemFields = new Set([
  'Item',
  'Key',
  'ExclusiveStartKey',
  'ExpressionAttributeValues',
  'LastEvaluatedKey',
]);
const itemListFields = new Set(['Items', 'Keys']);

/** Fields that hold items or values, from DynamoDB's notation. */
function decoded(input: Json): Json {
  return walk(input, (name, value) => {
    if (itemFields.has(name)) return fromAttributes(value as Attributes);
    if (itemListFields.has(name)) return (value as Attributes[]).map(fromAttributes);
    if (name === 'Parameters') return (value as Json[]).map(fromAttribute);
    return undefined;
  });
}

/** The same the other way. */
function encoded(output: Json): Json {
  return walk(output, (name, value) => {
    if (itemFields.has(name)) return toAttributes(value);
    if (itemListFields.has(name)) return value.map(toAttributes);
    if (name === 'Responses' && !Array.isArray(value)) {
      return Object.fromEntries(
        Object.entries(value as Json).map(([table, items]) => [table, (items as Json[]).map(toAttributes)]),
      );
    }
    return undefined;
  });
}

function walk(value: Json, convert: (name: string, value: Json) => Json): Json {
  if (Array.isArray(value)) return value.map((one) => walk(one, convert));
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, convert(name, inner) ?? walk(inner, convert)]),
  );
}
