// Calls of functions that nobody waits for, through the Lambda client.
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { RequestLimits } from '../../shared/lib/request-limits.ts';
import { clientSettings } from './client-settings.ts';

/** Hands an event to a function and does not wait for what it makes of it. Throws if Lambda does not take it. */
export type StartFunction = (functionName: string, event: unknown) => Promise<void>;

/** Used when little time is left. */
const lastMinuteLimits: RequestLimits = { connectMs: 2_000, answerMs: 5_000 };

export function createLambdaClient(limits: RequestLimits = lastMinuteLimits): LambdaClient {
  return new LambdaClient({ ...clientSettings(limits), maxAttempts: 3 });
}

export function createStartFunction(client: Pick<LambdaClient, 'send'>): StartFunction {
  return async (FunctionName, event) => {
    const Payload = JSON.stringify(event);
    await client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload }));
  };
}
