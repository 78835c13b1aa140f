// The drainer as a Lambda function: one invocation at a time, since its queue has one message group; the queue's delay
// is the pause between two passes.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { drainerEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { drainWakeSchema } from '../../shared/model/wake.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { drainWake } from '../messages.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { drainPass } from './drain-pass.ts';

/** Wires the drainer to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(drainerEnvSchema, environment);
  const { logger, metrics, log, meter } = createTelemetry('drainer', env.BOREALIS_CLUSTER);
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const deps = {
    store: createStore(env, 'drainer'),
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    meter,
    ...platform,
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event) =>
    redelivered(
      event,
      processGroups(event, {
        schema: drainWakeSchema,
        groupOf: ({ drain }) => drain,
        log,
        work: async () => {
          const { draining, drained } = await drainPass(deps);
          if (draining > drained) await messages.send(env.DRAINER_QUEUE_URL, [drainWake(deps.clock())]);
        },
      }),
      redeliver,
    ),
  );
}

export const handler = lazyHandler(createHandler);
