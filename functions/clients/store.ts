// The store of a function, from its environment. DynamoDB's address follows the SDK's own variables.
import { createClient } from '../../shared/store/connection.ts';
import { createDynamoStore } from '../../shared/store/dynamo-store.ts';
import { type StoreOf, type StoreUser, storeUse } from '../../shared/store/rights.ts';
import { capacityMeter } from './capacity.ts';

interface StoreEnvironment {
  readonly STATE_TABLE: string;
  readonly NOTES_TABLE: string;
  readonly METER_CAPACITY: 'true' | 'false';
  /** Of a function that ends no tasks it may be missing. */
  readonly HISTORY_SECS?: number;
}

/** Only with the methods that `user`, the function, has rights for. */
export function createStore<U extends StoreUser>(env: StoreEnvironment, user: U): StoreOf<U> {
  const store = createDynamoStore({
    client: createClient(),
    stateTable: env.STATE_TABLE,
    notesTable: env.NOTES_TABLE,
    ...(env.HISTORY_SECS !== undefined && { historyMs: env.HISTORY_SECS * 1000 }),
    ...(env.METER_CAPACITY === 'true' && { meter: capacityMeter }),
  });
  return Object.fromEntries(storeUse[user].map((name) => [name, store[name]])) as unknown as StoreOf<U>;
}
