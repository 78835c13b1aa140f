// Makes the tables and queues of the plan on the engines. What is there already stays as it is, so a stack that kept its
// data, or an engine that was restarted, is provisioned by the same calls.
import { isDeepStrictEqual } from 'node:util';
import { BorealisError } from '../../shared/lib/errors.ts';
import { type EngineClient, EngineError } from '../engines/aws-json.ts';
import type { QueuePlan, TablePlan } from '../template/plan.ts';

/** Creates the tables that are missing. CONFLICT if a table is there with other keys or indexes. */
export async function provisionTables(dynamo: EngineClient, tables: readonly TablePlan[]): Promise<void> {
  for (const table of tables) {
    try {
      await dynamo.call('CreateTable', table.create);
    } catch (error) {
      if (!(error instanceof EngineError && error.name === 'ResourceInUseException')) throw error;
      await checkSameTable(dynamo, table);
    }
    if (table.ttlAttribute === undefined) continue;
    const TimeToLiveSpecification = { AttributeName: table.ttlAttribute, Enabled: true };
    await dynamo
      .call('UpdateTimeToLive', { TableName: table.name, TimeToLiveSpecification })
      .catch((error: unknown) => {
        // Already enabled, from the start before.
        if (!(error instanceof EngineError && error.name === 'ValidationException')) throw error;
      });
  }
}

interface Description {
  readonly KeySchema: unknown;
  readonly GlobalSecondaryIndexes?: readonly { readonly IndexName: string; readonly KeySchema: unknown }[];
}

/** Data kept from a version whose tables looked different can't be used; saying so beats failing in odd places. */
async function checkSameTable(dynamo: EngineClient, table: TablePlan): Promise<void> {
  const { Table } = await dynamo.call<{ Table: Description }>('DescribeTable', { TableName: table.name });
  if (isDeepStrictEqual(keysOf(Table), keysOf(table.create as unknown as Description))) return;
  throw new BorealisError(
    'CONFLICT',
    `the table ${table.name} in the data directory has other keys or indexes than this version needs; nothing was ` +
      'changed. Start with an empty data directory.',
  );
}

function keysOf({ KeySchema, GlobalSecondaryIndexes = [] }: Description): unknown {
  return {
    KeySchema,
    indexes: GlobalSecondaryIndexes.map((index) => [index.IndexName, index.KeySchema] as const).toSorted(
      ([a], [b]) => (a < b ? -1 : 1),
    ),
  };
}

/** Creates the queues that are missing, dead-letter queues first. */
export async function provisionQueues(sqs: EngineClient, queues: readonly QueuePlan[]): Promise<void> {
  for (const queue of queues) {
    try {
      await sqs.call('CreateQueue', { QueueName: queue.name, Attributes: queue.attributes });
    } catch (error) {
      // Kept from an earlier version with other settings: the settings of this version count.
      if (!(error instanceof EngineError && error.name.includes('QueueNameExists'))) throw error;
      const { FifoQueue: _, ...settable } = queue.attributes;
      await sqs.call('SetQueueAttributes', { QueueUrl: queue.url, Attributes: settable });
    }
  }
}
