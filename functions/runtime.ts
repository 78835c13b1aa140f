// What every handler file needs to become a Lambda function: built at the first invoke (so a wrong environment is a
// clear error of that invoke, not a crash while loading), logger, metrics, the impure sources.
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import { type Clock, type IdSource, type RandomSource, randomIds } from '../shared/lib/ports.ts';
import { redact } from '../shared/lib/redact.ts';
import { metricNamespace } from '../shared/model/metrics.ts';
import type { Log, MetricPort } from './ports.ts';
import { requestFields } from './request-scope.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Builds the real handler when it is first called and keeps it while the process is warm. */
export function lazyHandler<E, R>(
  build: (env: Environment) => (event: E, context: Context) => Promise<R>,
): (event: E, context: Context) => Promise<R> {
  let built: ((event: E, context: Context) => Promise<R>) | undefined;
  return async (event, context) => {
    built ??= build(process.env);
    return built(event, context);
  };
}

/** Logger and metrics of one function, named alike. */
export function createTelemetry(functionName: string, cluster: string) {
  const logger = new Logger({
    serviceName: `borealis-${functionName}`,
    persistentKeys: { cluster },
    jsonReplacerFn: redact,
  });
  const metrics = new Metrics({
    namespace: metricNamespace,
    serviceName: functionName,
    defaultDimensions: { cluster },
  });
  const log: Log = {
    info: (message, fields = {}) => logger.info(message, { ...requestFields(), ...fields }),
    warn: (message, fields = {}) => logger.warn(message, { ...requestFields(), ...fields }),
    error: (message, fields = {}) => logger.error(message, { ...requestFields(), ...fields }),
  };
  const meter: MetricPort = {
    // A metric costs for every hour in which it is written, so nothing is written about nothing.
    count: (name, value) => {
      if (value > 0) metrics.addMetric(name, MetricUnit.Count, value);
    },
    millis: (name, value) => void metrics.addMetric(name, MetricUnit.Milliseconds, value),
  };
  return { logger, metrics, log, meter };
}

/** Clock, ids and randomness of the platform. */
export const platform: { readonly clock: Clock; readonly ids: IdSource; readonly random: RandomSource } = {
  clock: Date.now,
  ids: randomIds,
  random: Math.random,
};
