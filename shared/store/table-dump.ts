// A table as lines of text and back, in DynamoDB's own notation, so that nothing of a row is lost or interpreted. For
// backups where a service has none of its own, and for moving an installation.
import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  paginateScan,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { backOff, chunks, mapLimit } from './flow.ts';

type Item = Record<string, AttributeValue>;

const batchSize = 25;
const batchesAtOnce = 4;
const maxTries = 10;

/** Every row, consistently read row by row; what is written meanwhile may or may not be among them. */
export async function* readItems(client: DynamoDBClient, table: string): AsyncGenerator<Item> {
  for await (const page of paginateScan({ client }, { TableName: table, ConsistentRead: true })) {
    yield* page.Items ?? [];
  }
}

/** Puts rows; those with the same key are replaced. Throws if the table keeps refusing some. */
export async function writeItems(
  client: DynamoDBClient,
  table: string,
  items: readonly Item[],
): Promise<void> {
  await mapLimit(chunks(items, batchSize), batchesAtOnce, async (batch) => {
    let waiting: WriteRequest[] = batch.map((Item) => ({ PutRequest: { Item } }));
    for (let tries = 0; waiting.length > 0; tries++) {
      if (tries === maxTries)
        throw new Error(`${table} does not take ${waiting.length} rows; run this again`);
      if (tries > 0) await backOff(tries);
      const { UnprocessedItems } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: waiting } }),
      );
      waiting = UnprocessedItems?.[table] ?? [];
    }
  });
}

/** A row as one line: DynamoDB's JSON, bytes in base64 as everywhere in AWS. */
export function lineOf(item: Item): string {
  return `${JSON.stringify(mapValues(item, toText))}\n`;
}

/** The row of a line; throws if it is none. */
export function itemOf(line: string): Item {
  return mapValues(JSON.parse(line) as Item, toBytes);
}

type Convert = (bytes: Uint8Array) => Uint8Array;

// The types have no place for the text form of bytes, which exists only on its way to and from a line.
const toText: Convert = (bytes) => Buffer.from(bytes).toString('base64') as unknown as Uint8Array;
const toBytes: Convert = (text) => new Uint8Array(Buffer.from(text as unknown as string, 'base64'));

function mapValues(item: Item, convert: Convert): Item {
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, mapValue(value, convert)]));
}

function mapValue(value: AttributeValue, convert: Convert): AttributeValue {
  if (value.B !== undefined) return { B: convert(value.B) };
  if (value.BS !== undefined) return { BS: value.BS.map(convert) };
  if (value.L !== undefined) return { L: value.L.map((one) => mapValue(one, convert)) };
  if (value.M !== undefined) return { M: mapValues(value.M, convert) };
  return value;
}
