// The follower of machines that will go, as a Lambda function on the queue that EventBridge rules put their events in.
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { agentLifecycleEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { quietLogger } from '../../shared/store/quiet-logger.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { createTerminationPort } from './auto-scaling.ts';
import { followNotice } from './follow-notice.ts';
import { noticeSchema } from './notices.ts';

/** Wires the function to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(agentLifecycleEnvSchema, environment);
  const { logger, metrics, log } = createTelemetry('agent-lifecycle', env.BOREALIS_CLUSTER);
  const deps = {
    store: createStore(env, 'agent-lifecycle'),
    groups: createTerminationPort(new AutoScalingClient({ maxAttempts: 5, logger: quietLogger })),
    messages: createMessagePort(createSqsClient()),
    queueUrl: env.LIFECYCLE_QUEUE_URL,
    maxDrainMs: env.MAX_DRAIN_SECS * 1000,
    clock: platform.clock,
    log,
  };
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event) =>
    processGroups(event, {
      schema: noticeSchema,
      groupOf: (notice) => JSON.stringify(notice),
      log,
      work: (notice) => followNotice(notice, deps),
    }),
  );
}

export const handler = lazyHandler(createHandler);
