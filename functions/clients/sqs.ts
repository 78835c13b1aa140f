// The SQS client of the functions: bounded waiting, connections kept, enough of them for the parallelism of the handlers.
import { SQSClient } from '@aws-sdk/client-sqs';
import type { RequestLimits } from '../../shared/lib/request-limits.ts';
import { countRequest } from './capacity.ts';
import { clientSettings } from './client-settings.ts';

export function createSqsClient(limits?: RequestLimits): SQSClient {
  const client = new SQSClient(clientSettings(limits));
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
