// The sweeper as a Lambda function, called by a schedule every minute.
import { parseEnv, sweeperEnvSchema } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { type SweepRound, sweepRoundSchema } from '../../shared/model/wake.ts';
import { dueShards } from '../../shared/store/keys.ts';
import { createAgentCommandPort } from '../clients/agent-commands.ts';
import { createLambdaClient, createStartFunction } from '../clients/invocation-port.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createSfnClient, createWorkflowPort } from '../clients/workflow-port.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { type SweepReport, sweep } from './sweep.ts';

/** Wires the sweeper to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(sweeperEnvSchema, environment);
  const { logger, metrics, log, meter } = createTelemetry('sweeper', env.BOREALIS_CLUSTER);
  const start = createStartFunction(createLambdaClient());
  const sqs = createSqsClient();
  const messages = createMessagePort(sqs);
  const deps = {
    store: createStore(env, 'sweeper'),
    shards: dueShards,
    messages,
    agents: createAgentCommandPort(sqs, messages, env.BOREALIS_CLUSTER),
    matcherQueueUrl: env.MATCHER_QUEUE_URL,
    jobsQueueUrl: env.JOBS_QUEUE_URL,
    timersQueueUrl: env.TIMERS_QUEUE_URL,
    again: (round: SweepRound) => start(env.SWEEPER_FUNCTION, round),
    workflows: createWorkflowPort(createSfnClient(), env.UPDATE_WORKFLOW_ARN),
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    reportsArriveMs: env.REPORTS_ARRIVE_SECS * 1000,
    flapping: defaultFlapping,
    log,
    meter,
    ...platform,
  };
  return workerChain<unknown, SweepReport>(logger, metrics, (event, context) => {
    const round = sweepRoundSchema.safeParse(event);
    return sweep(() => context.getRemainingTimeInMillis(), deps, round.data);
  });
}

export const handler = lazyHandler(createHandler);
