// The consumer of agent reports as a Lambda function.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { agentEventsEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { createAgentCommandPort } from '../clients/agent-commands.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createLateness } from '../lateness.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { processReports } from './process-reports.ts';

/** Wires the consumer to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(agentEventsEnvSchema, environment);
  const sqs = createSqsClient();
  const { logger, metrics, log, meter } = createTelemetry('agent-events', env.BOREALIS_CLUSTER);
  const store = createStore(env, 'agent-events');
  const deps = {
    store,
    lateness: createLateness({ store, log, ...platform }),
    agents: createAgentCommandPort(sqs, createMessagePort(sqs), env.BOREALIS_CLUSTER),
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    identity: env.AGENT_IDENTITY,
    owners: new Map(),
    log,
    meter,
    ...platform,
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event) =>
    redelivered(event, processReports(event, deps), redeliver),
  );
}

export const handler = lazyHandler(createHandler);
