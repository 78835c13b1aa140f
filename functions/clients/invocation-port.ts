// Calls of functions that nobody waits for, through the Lambda client.
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { quietLogger } from '../../shared/store/quiet-logger.ts';

/** Hands an event to a function and does not wait for what it makes of it. Throws if Lambda does not take it. */
export type StartFunction = (functionName: string, event: unknown) => Promise<void>;

/** The address follows the SDK's own variables (AWS_ENDPOINT_URL_LAMBDA, AWS_REGION). */
export function createLambdaClient(): LambdaClient {
  return new LambdaClient({
    maxAttempts: 3,
    logger: quietLogger,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 },
  });
}

export function createStartFunction(client: Pick<LambdaClient, 'send'>): StartFunction {
  return async (FunctionName, event) => {
    const Payload = JSON.stringify(event);
    await client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload }));
  };
}
