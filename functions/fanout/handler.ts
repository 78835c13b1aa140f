// The stream consumer as a Lambda function: the only place where effects of writes come from (design D1).
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { fanoutEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { defaultHistory } from '../../shared/domain/task/history.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { decodeStreamRecord } from '../../shared/store/stream.ts';
import { createAgentCommandPort } from '../clients/agent-commands.ts';
import { createEventBridgeClient, createEventPort } from '../clients/event-port.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createSfnClient, createWorkflowPort } from '../clients/workflow-port.ts';
import { createLateness } from '../lateness.ts';
import { createConfigCache } from '../launch.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { createJobEnds } from './job-ends.ts';
import { processBatch } from './process-batch.ts';

/** Wires the stream consumer to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(fanoutEnvSchema, environment);
  const store = createStore(env, 'fanout');
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const { logger, metrics, log, meter } = createTelemetry('fanout', env.BOREALIS_CLUSTER);
  const deps = {
    store,
    configs: createConfigCache(store),
    jobEnds: createJobEnds(store, env.HISTORY_SECS * 1000),
    messages,
    agents: createAgentCommandPort(sqs, messages, env.BOREALIS_CLUSTER, env.AGENT_IDENTITY),
    events: createEventPort(createEventBridgeClient(), env.EVENT_BUS_NAME),
    workflows: createWorkflowPort(createSfnClient(), env.UPDATE_WORKFLOW_ARN),
    cluster: env.BOREALIS_CLUSTER,
    queues: {
      matcher: env.MATCHER_QUEUE_URL,
      jobs: env.JOBS_QUEUE_URL,
      timers: env.TIMERS_QUEUE_URL,
      intake: env.INTAKE_QUEUE_URL,
    },
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    history: { ...defaultHistory, maxPerJob: env.HISTORY_MAX_PER_JOB },
    log,
    meter,
    ...platform,
    lateness: createLateness({ store, log, ...platform }),
    decode: decodeStreamRecord,
  };
  return workerChain<DynamoDBStreamEvent, DynamoDBBatchResponse>(logger, metrics, (event) =>
    processBatch(event, deps),
  );
}

export const handler = lazyHandler(createHandler);
