// What the installation says of itself: version, health, the OpenAPI document.
import type { ResourceHandler } from './context.ts';

export const version: ResourceHandler<'version'> = async (_request, { cluster, version: software }) => ({
  cluster,
  version: software,
});

/** Answers 200 either way: the API itself is up if it answers; the body says whether its store is. */
export const health: ResourceHandler<'health'> = async (_request, { store, log }) => {
  try {
    await store.ping();
    return { ok: true, store: 'ok' };
  } catch (error) {
    log.error('the store does not answer the health check', { error });
    return { ok: false, store: 'unreachable' };
  }
};

let document: Promise<Record<string, unknown>> | undefined;

/** Built at the first request: only who asks for the document pays for its builder. */
export const openapi: ResourceHandler<'openapi'> = (_request, deps) => {
  document ??= import('../../shared/api/openapi.ts').then(({ buildOpenApi }) => buildOpenApi(deps.version));
  return document;
};
