// The updater as a Lambda function: called by the update workflow for verdicts and waits, and by its queue whenever
// something happened that an update may have waited for (one message at a time per job).
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { parseEnv, updaterEnvSchema } from '../../shared/api/env.ts';
import { defaultFlapping } from '../../shared/domain/task/flapping.ts';
import { timeoutsWith } from '../../shared/domain/task/timeouts.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import { updateStepSchema, updateWakeSchema } from '../../shared/model/wake.ts';
import { createStore } from '../clients/store.ts';
import { createSfnClient, createWorkflowPort } from '../clients/workflow-port.ts';
import { createConfigCache } from '../launch.ts';
import { workerChain } from '../middleware/worker.ts';
import { processGroups } from '../queue-batch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import type { UpdaterDeps } from './deps.ts';
import { createInstanceReader } from './read-instances.ts';
import { awaitBatch, type Verdict, verdict } from './steps.ts';
import { wakeUpdate } from './wake-update.ts';

/** Wires the updater to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(updaterEnvSchema, environment);
  const store = createStore(env, 'updater');
  const { logger, metrics, log, meter } = createTelemetry('updater', env.BOREALIS_CLUSTER);
  const deps: UpdaterDeps = {
    store,
    readInstances: createInstanceReader(store, platform.clock),
    configs: createConfigCache(store),
    workflows: createWorkflowPort(createSfnClient(), env.UPDATE_WORKFLOW_ARN),
    turnsPerExecution: Number(env.UPDATE_TURNS_PER_EXECUTION),
    timeouts: timeoutsWith(env.TASK_TIMEOUTS),
    flapping: defaultFlapping,
    log,
    meter,
    ...platform,
  };
  return workerChain<unknown, SQSBatchResponse | Verdict | null>(logger, metrics, (event) => {
    return isQueueEvent(event) ? wakeAll(event, deps) : makeStep(event, deps);
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

function wakeAll(event: SQSEvent, deps: UpdaterDeps): Promise<SQSBatchResponse> {
  return processGroups(event, {
    schema: updateWakeSchema,
    groupOf: ({ updateId }) => updateId,
    merge: (one, other) => ({ ...one, instances: [...one.instances, ...other.instances] }),
    fieldsOf: ({ key, updateId }) => ({ job: jobPath(key), updateId }),
    log: deps.log,
    work: ({ key, updateId, instances }) => wakeUpdate({ key, updateId, hints: instances }, deps),
  });
}

export const handler = lazyHandler(createHandler);
