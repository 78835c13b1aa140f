// The SQS client of the functions: bounded waiting, connections kept, enough of them for the parallelism of the handlers.
import { SQSClient } from '@aws-sdk/client-sqs';
import { quietLogger } from '../../shared/store/quiet-logger.ts';
import { countRequest } from './capacity.ts';

/** Addresses follow the SDK's own variables (AWS_ENDPOINT_URL_SQS, AWS_REGION). */
export function createSqsClient(): SQSClient {
  const agent = { keepAlive: true, maxSockets: 128 };
  const client = new SQSClient({
    maxAttempts: 5,
    logger: quietLogger,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000, httpAgent: agent, httpsAgent: agent },
  });
  if (process.env.METER_CAPACITY === 'true') {
    client.middlewareStack.add(
      (next, context) => (args) => {
        countRequest(String(context.commandName));
        return next(args);
      },
      { step: 'initialize', name: 'borealisMeter' },
    );
  }
  return client;
}
