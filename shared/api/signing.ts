// Which requests are signed, for whom and for which region: decided from the address, the options and the environment,
// without loading anything of the AWS SDK, so that a CLI that talks to a stack on this machine stays fast. The signing
// itself (signed-fetch.ts) is loaded with the first request that needs it.
import { BorealisError } from '../lib/errors.ts';

/** `auto`: sign unless the address is plain http or on this machine. */
const authModes = ['auto', 'iam', 'none'] as const;
export type AuthMode = (typeof authModes)[number];

export interface SigningOptions {
  /** Of the API; tells the region and, in explanations, the API's id. */
  readonly baseUrl: string;
  /** Profile of the AWS configuration files; default AWS_PROFILE, then what the SDK finds by itself. */
  readonly profile?: string | undefined;
  /** Default: from the address, then AWS_REGION, then the profile. */
  readonly region?: string | undefined;
  /** Told once when this machine's clock is so wrong that signatures are made with the server's time. */
  readonly warn?: ((line: string) => void) | undefined;
}

/** Whether requests to this address are signed. */
export function isSigned(baseUrl: string, mode: AuthMode): boolean {
  if (mode !== 'auto') return mode === 'iam';
  const { protocol, hostname } = new URL(baseUrl);
  return protocol === 'https:' && !/^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** The mode in a flag or variable; INVALID_REQUEST names where it was said. */
export function parseAuthMode(text: string, source: string): AuthMode {
  const mode = authModes.find((known) => known === text);
  if (mode !== undefined) return mode;
  throw new BorealisError(
    'INVALID_REQUEST',
    `"${text}" (from ${source}) is no way to authenticate; use ${authModes.join(', ')}. Nothing was done.`,
  );
}

/** Region and id in the address of an API: `abc123.execute-api.eu-west-1.amazonaws.com` (also .cn and .api.aws). */
export function parseApiHost(baseUrl: string): { readonly apiId?: string; readonly region?: string } {
  const match =
    /^([a-z0-9]+)(?:-vpce-[a-z0-9]+)?\.execute-api\.([a-z]{2,}(?:-[a-z0-9]+)+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(
      new URL(baseUrl).hostname,
    );
  return match?.[1] !== undefined && match[2] !== undefined ? { apiId: match[1], region: match[2] } : {};
}

/** A fetch that signs each request with SigV4; what it takes is loaded when it is first called. */
export function lazySignedFetch(options: SigningOptions): typeof fetch {
  let made: Promise<typeof fetch> | undefined;
  return async (input, init) => {
    made ??= import('./signed-fetch.ts').then(({ createSignedFetch }) => createSignedFetch(options));
    return (await made)(input, init);
  };
}
