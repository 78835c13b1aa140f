// The roll call as a Lambda function, called by a schedule every minute.
import { parseEnv, rollCallEnvSchema } from '../../shared/api/env.ts';
import { defaultMostLost } from '../../shared/domain/agent/forget.ts';
import { defaultRollCall } from '../../shared/domain/agent/roll-call.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { deleteQueue, listAgentQueues } from '../clients/agent-queues.ts';
import { createHeartbeatQueue } from '../clients/heartbeat-queue.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createConfigCache } from '../launch.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { type RollCallReport, rollCall } from './roll-call.ts';

/** Wires the roll call to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(rollCallEnvSchema, environment);
  const { logger, metrics, log, meter } = createTelemetry('roll-call', env.BOREALIS_CLUSTER);
  const store = createStore(env, 'roll-call');
  const sqs = createSqsClient();
  const deps = {
    store,
    configs: createConfigCache(store),
    queue: createHeartbeatQueue(sqs, env.HEARTBEAT_QUEUE_URL),
    queueUrl: env.HEARTBEAT_QUEUE_URL,
    messages: createMessagePort(sqs),
    settings: {
      ...defaultRollCall,
      lostAfterMs: env.AGENT_LOST_AFTER_SECS * 1000,
      massShare: env.AGENT_MASS_PERCENT / 100,
    },
    forget: {
      forgetAfterMs: env.AGENT_FORGET_AFTER_SECS * 1000,
      lostAfterMs: env.AGENT_LOST_AFTER_SECS * 1000,
      mostLost: defaultMostLost,
    },
    agentQueues: {
      list: () => listAgentQueues(sqs, env.BOREALIS_CLUSTER),
      drop: (url: string) => deleteQueue(sqs, url),
    },
    identity: env.AGENT_IDENTITY,
    owners: new Map(),
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    meter,
    ...platform,
  };
  return workerChain<unknown, RollCallReport>(logger, metrics, (_event, context) =>
    rollCall(() => context.getRemainingTimeInMillis(), deps),
  );
}

export const handler = lazyHandler(createHandler);
