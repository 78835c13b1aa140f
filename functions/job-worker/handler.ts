// The worker on jobs as a Lambda function: called by the queue of jobs, and by the update workflow for verdicts and waits.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { jobWorkerEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { updateStepSchema } from '../../shared/model/wake.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createRedelivery, redelivered } from '../clients/redelivery.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createSfnClient, createWorkflowPort } from '../clients/workflow-port.ts';
import { createConfigCache } from '../launch.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { createUpdateAlarms } from '../updater/alarms.ts';
import type { UpdaterDeps } from '../updater/deps.ts';
import { createInstanceReader } from '../updater/read-instances.ts';
import { awaitBatch, type Verdict, verdict } from '../updater/steps.ts';
import { type JobWorkDeps, processJobMessages } from './process-messages.ts';

/** Wires the worker on jobs to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(jobWorkerEnvSchema, environment);
  const store = createStore(env, 'job-worker');
  const sqs = createSqsClient();
  const { logger, metrics, log, meter } = createTelemetry('job-worker', env.BOREALIS_CLUSTER);
  const common = {
    store,
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    meter,
    ...platform,
  };
  const messages = createMessagePort(sqs);
  const deps: JobWorkDeps = {
    reconciler: common,
    drainer: common,
    updater: {
      ...common,
      readInstances: createInstanceReader(store, platform.clock),
      configs: createConfigCache(store),
      workflows: createWorkflowPort(createSfnClient(), env.UPDATE_WORKFLOW_ARN),
      alarms: createUpdateAlarms(messages, env.TIMERS_QUEUE_URL, platform.clock),
      turnsPerExecution: Number(env.UPDATE_TURNS_PER_EXECUTION),
    },
    messages,
    jobsQueueUrl: env.JOBS_QUEUE_URL,
    timersQueueUrl: env.TIMERS_QUEUE_URL,
    log,
  };
  const redeliver = createRedelivery(sqs, log);
  return workerChain<unknown, SQSBatchResponse | Verdict | null>(logger, metrics, (event, context) => {
    if (!isQueueEvent(event)) return makeStep(event, deps.updater);
    const answer = processJobMessages(event, () => context.getRemainingTimeInMillis(), deps);
    return redelivered(event, answer, redeliver);
  });
}

function isQueueEvent(event: unknown): event is SQSEvent {
  return typeof event === 'object' && event !== null && 'Records' in event;
}

async function makeStep(event: unknown, deps: UpdaterDeps): Promise<Verdict | null> {
  const step = updateStepSchema.parse(event);
  if (step.step === 'verdict') return verdict(step.run, deps);
  await awaitBatch(step.run, step.taskToken, deps);
  return null;
}

export const handler = lazyHandler(createHandler);
