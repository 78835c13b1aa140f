// The follower of machines that will go, as a Lambda function on the queue that EventBridge rules put their events in.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { agentLifecycleEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { createAutoScalingClient, createTerminationPort } from './auto-scaling.ts';
import { followNotice } from './follow-notice.ts';
import { noticeSchema } from './notices.ts';

/** Wires the function to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(agentLifecycleEnvSchema, environment);
  const { logger, metrics, log } = createTelemetry('agent-lifecycle', env.BOREALIS_CLUSTER);
  const deps = {
    store: createStore(env, 'agent-lifecycle'),
    groups: createTerminationPort(createAutoScalingClient()),
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
