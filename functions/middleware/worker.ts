// The chain of every function fed by a queue, a stream or a schedule: log context and metrics; failures stay failures,
// so that the event source sends the event again.
import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import { inRequest } from '../request-scope.ts';

/** Wraps one worker: its log lines carry the request id of the invocation. */
export function workerChain<E, R>(
  logger: Logger,
  metrics: Metrics,
  work: (event: E, context: Context) => Promise<R>,
) {
  return middy<E, R>()
    .use({
      after: () => publish(metrics),
      onError: ({ error, context }) => {
        const { awsRequestId: requestId } = context;
        logger.error('invocation failed; the event source sends the event again', { requestId, error });
        publish(metrics);
      },
    })
    .handler((event: E, context: Context) =>
      inRequest({ requestId: context.awsRequestId }, () => work(event, context)),
    );
}

/** Powertools' own middleware warns at every invocation that measured nothing. */
function publish(metrics: Metrics): void {
  if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
}
