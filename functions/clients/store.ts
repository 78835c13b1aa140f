// The store of a function, from its environment. DynamoDB's address follows the SDK's own variables.
import { createClient } from '../../shared/store/connection.ts';
import { createDynamoStore } from '../../shared/store/dynamo-store.ts';
import type { Store } from '../../shared/store/port.ts';
import { capacityMeter } from './capacity.ts';

export function createStore(env: {
  readonly STATE_TABLE: string;
  readonly NOTES_TABLE: string;
  readonly METER_CAPACITY: 'true' | 'false';
}): Store {
  return createDynamoStore({
    client: createClient(),
    stateTable: env.STATE_TABLE,
    notesTable: env.NOTES_TABLE,
    ...(env.METER_CAPACITY === 'true' && { meter: capacityMeter }),
  });
}
