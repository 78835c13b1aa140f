// Whether an emulator is fit for the test. The stream of the state table is the only outbox (design D1), so an emulator
// whose streams leave out some kind of write would fail the suite in ways that look like faults of Borealis.
import {
  BatchExecuteStatementCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { emulated } from './emulated.ts';

const TableName = 'borealis-probe';
const expected = ['INSERT', 'MODIFY', 'REMOVE'];

/** Throws if writes by PartiQL, which the store uses for batches, leave no records in the stream. */
export async function probeStream(endpoint: string): Promise<void> {
  const client = new DynamoDBClient(emulated(endpoint));
  const streams = new DynamoDBStreamsClient(emulated(endpoint));
  const { TableDescription } = await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  try {
    await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { TableName });
    const key = [{ S: 'x' }];
    for (const [Statement, Parameters] of [
      [`INSERT INTO "${TableName}" VALUE {'pk': ?, 'n': 1}`, key],
      [`UPDATE "${TableName}" SET "n" = 2 WHERE "pk" = ?`, key],
      [`DELETE FROM "${TableName}" WHERE "pk" = ?`, key],
    ] as const) {
      const { Responses } = await client.send(
        new BatchExecuteStatementCommand({ Statements: [{ Statement, Parameters: [...Parameters] }] }),
      );
      const refusal = Responses?.[0]?.Error;
      if (refusal) throw new Error(`the emulator refuses ${Statement}: ${refusal.Message}`);
    }
    const seen = await readStream(streams, TableDescription?.LatestStreamArn);
    if (seen.join() !== expected.join()) {
      throw new Error(
        `the emulator at ${endpoint} is not fit for this test: after PartiQL writes (${expected.join(', ')}) its stream holds [${seen.join(', ')}]`,
      );
    }
  } finally {
    await client.send(new DeleteTableCommand({ TableName }));
    client.destroy();
    streams.destroy();
  }
}

async function readStream(client: DynamoDBStreamsClient, StreamArn: string | undefined): Promise<string[]> {
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
  const names: string[] = [];
  for (const { ShardId } of StreamDescription?.Shards ?? []) {
    const { ShardIterator } = await client.send(
      new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }));
    names.push(...Records.map(({ eventName }) => String(eventName)));
  }
  return names;
}
