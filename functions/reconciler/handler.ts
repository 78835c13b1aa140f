// The reconciler as a Lambda function: one invocation at a time per job, since the queue's message group is the job.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { parseEnv, reconcilerEnvSchema } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import { reconcileWakeSchema } from '../../shared/model/wake.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { reconcileWake } from '../messages.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { reconcileJob } from './reconcile-job.ts';

/** Wires the reconciler to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(reconcilerEnvSchema, environment);
  const store = createStore(env, 'reconciler');
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const { logger, metrics, log } = createTelemetry('reconciler', env.BOREALIS_CLUSTER);
  const deps = {
    store,
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    ...platform,
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event, context) =>
    redelivered(
      event,
      processGroups(event, {
        schema: reconcileWakeSchema,
        groupOf: ({ key }) => jobPath(key),
        fieldsOf: ({ key }) => ({ job: jobPath(key) }),
        log,
        work: async ({ key }) => {
          const outcome = await reconcileJob(key, () => context.getRemainingTimeInMillis(), deps);
          if (outcome === 'outOfTime') await messages.send(env.RECONCILER_QUEUE_URL, [reconcileWake(key)]);
        },
      }),
      redeliver,
    ),
  );
}

export const handler = lazyHandler(createHandler);
