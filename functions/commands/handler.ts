// The consumer of commands as a Lambda function.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import packageJson from '../../package.json' with { type: 'json' };
import { commandsEnvSchema, parseEnv } from '../../shared/api/env.ts';
import { createAdmission } from '../api/admission.ts';
import { createEventBridgeClient, createEventPort } from '../clients/event-port.ts';
import { createMessagePort } from '../clients/message-port.ts';
import { createSqsClient } from '../clients/sqs.ts';
import { createStore } from '../clients/store.ts';
import { createConfigCache } from '../launch.ts';
import { workerChain } from '../middleware/worker.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { processCommands } from './process-commands.ts';

/** Wires the consumer to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(commandsEnvSchema, environment);
  const store = createStore(env, 'commands');
  const { logger, metrics, log, meter } = createTelemetry('commands', env.BOREALIS_CLUSTER);
  const deps = {
    store,
    configs: createConfigCache(store),
    admission: createAdmission({ store, clock: platform.clock, log, limit: env.BACKLOG_LIMIT }),
    messages: createMessagePort(createSqsClient()),
    events: createEventPort(createEventBridgeClient(), env.EVENT_BUS_NAME),
    clock: platform.clock,
    ids: platform.ids,
    // No command is an agent's.
    identity: 'none' as const,
    log,
    meter,
    cluster: env.BOREALIS_CLUSTER,
    version: packageJson.version,
    deadLettersUrl: env.COMMAND_DEAD_LETTERS_URL,
    maxTries: env.COMMAND_TRIES,
  };
  return workerChain<SQSEvent, SQSBatchResponse>(logger, metrics, (event) => processCommands(event, deps));
}

export const handler = lazyHandler(createHandler);
