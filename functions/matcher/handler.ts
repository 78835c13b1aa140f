// The matcher as a Lambda function: one invocation at a time per pool, since the queue's message group is the pool.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { matcherEnvSchema, parseEnv, silentAfter } from '../../shared/api/env.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { matcherWakeSchema } from '../../shared/model/wake.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { matcherWake } from '../messages.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { matchPool } from './match-pool.ts';
import { createReasonWriter } from './reason-writer.ts';
import { createWakeFilter } from './wake-filter.ts';

/** Wires the matcher to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(matcherEnvSchema, environment);
  const store = createStore(env, 'matcher');
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const { logger, metrics, log, meter } = createTelemetry('matcher', env.BOREALIS_CLUSTER);
  const { clock } = platform;
  const reasons = createReasonWriter(store, clock);
  const wakes = createWakeFilter();
  const deps = {
    store,
    reasons,
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    clock,
    log,
    meter,
    silentAfterMs: silentAfter(env),
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event, context) =>
    redelivered(
      event,
      processGroups(event, {
        schema: matcherWakeSchema,
        groupOf: ({ pool }) => pool,
        fieldsOf: ({ pool }) => ({ pool }),
        log,
        work: async ({ pool }, sentAt) => {
          if (wakes.isAnswered(pool, sentAt)) return;
          const report = await matchPool(pool, () => context.getRemainingTimeInMillis(), deps);
          if (report.complete) wakes.drained(pool, report.readAt);
          else await messages.send(env.MATCHER_QUEUE_URL, [matcherWake(pool)]);
        },
      }),
      redeliver,
    ),
  );
}

export const handler = lazyHandler(createHandler);
