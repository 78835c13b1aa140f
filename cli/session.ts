// One run of one command: where the API is and why, the client to it, and what the command writes with.
import { readFileSync } from 'node:fs';
import { type ApiClient, createApiClient } from '../shared/api/client.ts';
import { isSigned, lazySignedFetch, parseApiHost, parseAuthMode } from '../shared/api/signing.ts';
import { BorealisError } from '../shared/lib/errors.ts';
import { createOutput, type GlobalOptions, type Io, type Output } from './io.ts';

const defaultApiUrl = 'http://127.0.0.1:8081';

/** The address of the API and where it was said: flag before environment before default. */
interface ApiAddress {
  readonly url: string;
  readonly source: '--api' | 'BOREALIS_API' | 'default';
}

export interface Session {
  readonly io: Io;
  readonly out: Output;
  readonly quiet: boolean;
  readonly address: ApiAddress;
  readonly client: ApiClient;
  /** Signs where the API wants it; for whatever else than `client` speaks to the API. */
  readonly fetch: typeof fetch;
  /** As whom and where AWS is spoken to, as far as options, environment and address say. */
  readonly aws: { readonly profile?: string; readonly region?: string };
  /** The cluster the API serves. Asked once. */
  cluster(): Promise<string>;
  /** INVALID_CONFIG (exit 3) if the key is of another cluster than the API's. */
  checkCluster(named: string): Promise<void>;
}

export function createSession(io: Io, options: GlobalOptions): Session {
  const out = createOutput(io, options);
  const address = resolveApi(options.api, io.env);
  const aws = awsOf(options, address.url, io.env);
  const fetch = chooseFetch(options.auth, address.url, aws, io.env, out.warn);
  const client = createApiClient({ baseUrl: address.url, trace: out.trace, say: out.say, fetch });
  let asked: Promise<string> | undefined;
  const cluster = (): Promise<string> => {
    asked ??= client.call('version', { signal: io.signal }).then((answer) => answer.cluster);
    return asked;
  };
  return {
    io,
    out,
    quiet: options.quiet === true,
    address,
    client,
    fetch,
    aws,
    cluster,
    async checkCluster(named) {
      const actual = await cluster();
      if (named === actual) return;
      throw new BorealisError(
        'INVALID_CONFIG',
        `the key names cluster "${named}", but ${address.url} (from ${address.source}) is cluster "${actual}". Nothing was done; write ${actual}/... or set --api to the other cluster.`,
      );
    },
  };
}

/** Flag, then BOREALIS_API, then the default; INVALID_REQUEST if it isn't an http(s) address. */
function resolveApi(flag: string | undefined, env: Io['env']): ApiAddress {
  const address: ApiAddress =
    flag !== undefined
      ? { url: flag, source: '--api' }
      : env.BOREALIS_API
        ? { url: env.BOREALIS_API, source: 'BOREALIS_API' }
        : { url: defaultApiUrl, source: 'default' };
  const parsed = URL.parse(address.url);
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') {
    return { ...address, url: address.url.replace(/\/+$/, '') };
  }
  throw new BorealisError(
    'INVALID_REQUEST',
    `"${address.url}" (from ${address.source}) is not the address of an API; write e.g. ${defaultApiUrl}. Nothing was done.`,
  );
}

function awsOf(options: GlobalOptions, apiUrl: string, env: Io['env']): Session['aws'] {
  const profile = options.profile ?? (env.AWS_PROFILE || undefined);
  const region =
    options.region ?? parseApiHost(apiUrl).region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined);
  return { ...(profile !== undefined && { profile }), ...(region !== undefined && { region }) };
}

function chooseFetch(
  flag: string | undefined,
  baseUrl: string,
  aws: Session['aws'],
  env: Io['env'],
  warn: (line: string) => void,
): typeof fetch {
  const mode =
    flag === undefined
      ? parseAuthMode(env.BOREALIS_AUTH || 'auto', 'BOREALIS_AUTH')
      : parseAuthMode(flag, '--auth');
  return isSigned(baseUrl, mode) ? lazySignedFetch({ baseUrl, ...aws, warn }) : globalThis.fetch;
}

/** The version of this installation, from package.json. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
