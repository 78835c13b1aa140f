// The HTTP API as a Lambda function.
import packageJson from '../../package.json' with { type: 'json' };
import { apiEnvSchema, parseEnv, silentAfter } from '../../shared/api/env.ts';
import { createStore } from '../clients/store.ts';
import { createConfigCache } from '../launch.ts';
import { createTelemetry, type Environment, lazyHandler, platform } from '../runtime.ts';
import { createAdmission } from './admission.ts';
import { createApi } from './app.ts';

/** Wires the API to the services the environment names. */
export function createHandler(environment: Environment) {
  const env = parseEnv(apiEnvSchema, environment);
  const store = createStore(env, 'api');
  const { log } = createTelemetry('api', env.BOREALIS_CLUSTER);
  return createApi({
    store,
    configs: createConfigCache(store),
    admission: createAdmission({ store, clock: platform.clock, log, limit: env.BACKLOG_LIMIT }),
    clock: platform.clock,
    ids: platform.ids,
    log,
    cluster: env.BOREALIS_CLUSTER,
    identity: env.AGENT_IDENTITY,
    version: packageJson.version,
    silentAfterMs: silentAfter(env),
  });
}

export const handler = lazyHandler(createHandler);
