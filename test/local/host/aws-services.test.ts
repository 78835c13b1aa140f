// The call of a function that nobody waits for, as the SDK's client makes it.
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStartFunction } from '../../../functions/clients/invocation-port.ts';
import { type AwsServices, startAwsServices } from '../../../local/host/aws-services.ts';
import { loadStateMachines } from '../../../local/host/state-machines.ts';

let services: AwsServices;
let client: LambdaClient;
let started: [name: string, event: unknown][];

beforeEach(async () => {
  started = [];
  const invoker = { invoke: () => Promise.reject(new Error('not called')) };
  services = await startAwsServices({
    buses: [],
    machines: await loadStateMachines([], invoker as never),
    put: () => '1',
    startFunction: (name, event) => {
      started.push([name, event]);
      return name === 'sweeper';
    },
  });
  client = new LambdaClient({
    endpoint: services.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });
});
afterEach(async () => {
  client.destroy();
  await services.stop();
});

describe('Invoke', () => {
  it('starts the function with the event and answers at once', async () => {
    await createStartFunction(client)('sweeper', { round: 1 });
    expect(started).toEqual([['sweeper', { round: 1 }]]);
  });

  it('refuses a function that is not there', async () => {
    await expect(createStartFunction(client)('another', {})).rejects.toThrow('there is no function another');
  });
});
