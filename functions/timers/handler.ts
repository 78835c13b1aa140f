// Delayed messages as a Lambda function: each is one look at one task, or a pass over agents that is due.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { parseEnv, timersEnvSchema } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { createAgentCommandPort } from '../clients/agent-commands.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { processTimers } from './process-timers.ts';

/** Wires the timers to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(timersEnvSchema, environment);
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const { logger, metrics, log } = createTelemetry('timers', env.BOREALIS_CLUSTER);
  const deps = {
    store: createStore(env, 'timers'),
    messages,
    agents: createAgentCommandPort(sqs, messages, env.BOREALIS_CLUSTER, env.AGENT_IDENTITY),
    timersQueueUrl: env.TIMERS_QUEUE_URL,
    jobsQueueUrl: env.JOBS_QUEUE_URL,
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    ...platform,
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event) =>
    redelivered(event, processTimers(event, deps), redeliver),
  );
}

export const handler = lazyHandler(createHandler);
