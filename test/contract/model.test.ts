// The store contract on the simulator's model of DynamoDB, so that what the simulator finds is true of the real one.
import { describe } from 'vitest';
import { startModelEndpoint } from '../sim/model/http-endpoint.ts';
import { onEndpoint } from './engines.ts';
import { storeContract } from './store.contract.ts';

describe("the store on the simulator's model", () =>
  storeContract(async () => {
    const model = await startModelEndpoint();
    return onEndpoint(model.endpoint, () => model.stop());
  }));
