// Where the store suites run: a fresh embedded engine, and the endpoint in DYNAMODB_ENDPOINT if there is one.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { startDynamoEngine } from '../../local/engines/dynamo-engine.ts';
import { createClient } from '../../shared/store/connection.ts';
import { createTables } from '../../shared/store/create-tables.ts';
import { createDynamoStore, type DynamoStoreOptions } from '../../shared/store/dynamo-store.ts';
import type { Store } from '../../shared/store/port.ts';
import { unique } from './fixtures.ts';

/** Two empty tables on one endpoint. */
export interface StoreUnderTest {
  readonly client: DynamoDBClient;
  readonly stateTable: string;
  readonly notesTable: string;
  /** Another process's view of the same tables. */
  store(options?: Partial<DynamoStoreOptions>): Store;
  stop(): Promise<void>;
}

export async function onEndpoint(endpoint: string, stop: () => Promise<void>): Promise<StoreUnderTest> {
  const client = createClient({ endpoint });
  const stateTable = unique('borealis-state');
  const notesTable = unique('borealis-notes');
  await createTables(client, { stateTable, notesTable });
  return {
    client,
    stateTable,
    notesTable,
    store: (options = {}) => createDynamoStore({ client, stateTable, notesTable, ...options }),
    async stop() {
      client.destroy();
      await stop();
    },
  };
}

export async function embeddedEngine(): Promise<StoreUnderTest> {
  const engine = await startDynamoEngine();
  return onEndpoint(engine.endpoint, () => engine.stop());
}

/** Leaves its two tables behind, named borealis-state-... and borealis-notes-.... */
export function givenEndpoint(endpoint: string): Promise<StoreUnderTest> {
  return onEndpoint(endpoint, () => Promise.resolve());
}
