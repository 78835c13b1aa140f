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

export type Item = Record<string, AttributeValue>;

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
