// The chain of every function fed by a queue, a stream or a schedule: log context and metrics; failures stay failures,
// so that the event source sends the event again.
import type { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';

/** Wraps one worker. */
export function workerChain<E, R>(
  logger: Logger,
  metrics: Metrics,
  work: (event: E, context: Context) => Promise<R>,
) {
  return middy<E, R>()
    .use(injectLambdaContext(logger))
    .use({
      after: () => publish(metrics),
      onError: ({ error }) => {
        logger.error('invocation failed; the event source sends the event again', { error });
        publish(metrics);
      },
    })
    .handler((event: E, context: Context) => work(event, context));
}

/** Powertools' own middleware warns at every invocation that measured nothing. */
function publish(metrics: Metrics): void {
  if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
}
