// A fetch that signs each request for API Gateway with SigV4, by the AWS SDK's own signer and credential chain
// (variables, profiles, SSO, web identity, ECS, IMDSv2). Each call signs anew, so a retry never carries an old date or
// an expired key. A refusal by the gateway, which gives no reason, is explained as far as it can be known from here.
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { Sha256 } from '@smithy/core/checksum';
import { loadConfig, NODE_REGION_CONFIG_FILE_OPTIONS, NODE_REGION_CONFIG_OPTIONS } from '@smithy/core/config';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { BorealisError } from '../lib/errors.ts';
import { parseApiHost, type SigningOptions } from './signing.ts';

/** A key to sign with; what the SDK's credential chain gives. */
interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export interface SignedFetchOptions extends SigningOptions {
  /** Replaces the SDK's credential chain. */
  readonly credentials?: () => Promise<Credentials>;
  /** This machine's time, epoch ms. */
  readonly clock?: () => number;
  readonly fetch?: typeof fetch;
}

/** AWS takes a signature for 5 minutes around its date; half a minute is left for the way. */
const bearableSkewMs = 4.5 * 60_000;

/**
 * Throws FORBIDDEN (no credentials, or the gateway refused), INVALID_REQUEST (no region); else what fetch does. A 403
 * with a problem document comes from Borealis itself and is handed on.
 */
export function createSignedFetch(options: SignedFetchOptions): typeof fetch {
  const credentials = options.credentials ?? sdkCredentials(options);
  const region = regionProvider(options);
  const clock = options.clock ?? Date.now;
  const plainFetch = options.fetch ?? fetch;
  let offsetMs = 0;
  return async (input, init) => {
    const request = new Request(input, init);
    const body = new Uint8Array(await request.arrayBuffer());
    const key = await explained(credentials, options);
    const signer = new SignatureV4({
      service: 'execute-api',
      region: await region(),
      credentials: key,
      sha256: Sha256,
      applyChecksum: false,
    });
    const send = async (): Promise<Response> =>
      plainFetch(await sign(signer, request, body, new Date(clock() + offsetMs)));
    let response = await send();
    const skewMs = refusedForSkew(response, clock() + offsetMs);
    if (skewMs !== undefined) {
      // A refused request did nothing, so it may be sent again whatever it was.
      offsetMs += skewMs;
      options.warn?.(`${clockText(offsetMs)}; requests are signed with the server's time instead`);
      await response.body?.cancel();
      response = await send();
    }
    if (response.status !== 403 || isProblem(response)) return response;
    throw refusal({ request, key, region: await region(), offsetMs, now: clock() + offsetMs, options });
  };
}

function sdkCredentials({ profile, region }: SigningOptions): () => Promise<Credentials> {
  const chain = fromNodeProviderChain({
    ...(profile !== undefined && { profile }),
    ...(region !== undefined && { clientConfig: { region } }),
  });
  return () => chain();
}

function regionProvider({ baseUrl, region, profile }: SigningOptions): () => Promise<string> {
  const known = region ?? parseApiHost(baseUrl).region;
  if (known !== undefined) return async () => known;
  const configured = loadConfig(NODE_REGION_CONFIG_OPTIONS, {
    ...NODE_REGION_CONFIG_FILE_OPTIONS,
    ...(profile !== undefined && { profile }),
  });
  return async () => {
    try {
      return await configured();
    } catch (cause) {
      throw new BorealisError(
        'INVALID_REQUEST',
        `${baseUrl} does not say its AWS region, and none is configured; nothing was sent. Give --region, set AWS_REGION, or use the address that ends in amazonaws.com.`,
        { cause },
      );
    }
  };
}

async function explained(
  credentials: () => Promise<Credentials>,
  { baseUrl, profile }: SigningOptions,
): Promise<Credentials> {
  try {
    return await credentials();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const where = profile === undefined ? '' : ` for the profile "${profile}"`;
    throw new BorealisError(
      'FORBIDDEN',
      `${baseUrl} takes signed requests, and there are no AWS credentials${where} to sign with (${why.replace(/\.$/, '')}); nothing was sent. Sign in (aws sso login), name a profile (--profile, AWS_PROFILE), or, if this API is open, say --auth none.`,
      { cause },
    );
  }
}

/** The request as it goes out: query in the form that is signed, the signature's headers added. */
async function sign(
  signer: SignatureV4,
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  signingDate: Date,
): Promise<Request> {
  const url = new URL(request.url);
  const query = [...url.searchParams];
  // URLSearchParams writes a space as +, which a verifier may take for a plus.
  url.search = query.map((pair) => pair.map(escaped).join('=')).join('&');
  const values: Record<string, string[]> = {};
  for (const [name, value] of query) values[name] = [...(values[name] ?? []), value];
  const signed = await signer.sign(
    new HttpRequest({
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: values,
      headers: { ...Object.fromEntries(request.headers), host: url.host },
      body,
    }),
    { signingDate },
  );
  // fetch sets it from the address, to the same.
  const { host: _host, ...headers } = signed.headers;
  const { method, signal } = request;
  return new Request(url, { method, headers, signal, ...(body.length > 0 && { body }) });
}

/** RFC 3986: everything but letters, digits and - . _ ~ */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function isProblem(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('application/problem+json') === true;
}

/** How far the server is ahead of the time signed with, if a refusal can be blamed on that. */
function refusedForSkew(response: Response, signedAt: number): number | undefined {
  if (response.status !== 403 || isProblem(response)) return undefined;
  const skewMs = Date.parse(response.headers.get('date') ?? '') - signedAt;
  return Math.abs(skewMs) > bearableSkewMs ? skewMs : undefined;
}

/** `offsetMs`: the server's time less ours. */
function clockText(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  return `this machine's clock is ${minutes} minutes ${offsetMs > 0 ? 'behind' : 'ahead of'} the API's; set it (timedatectl set-ntp true)`;
}

interface Refused {
  readonly request: Request;
  readonly key: Credentials;
  readonly region: string;
  readonly offsetMs: number;
  readonly now: number;
  readonly options: SigningOptions;
}

/** The gateway says only "Forbidden"; this says what was sent, what it needs and what to look at. */
function refusal({ request, key, region, offsetMs, now, options }: Refused): BorealisError {
  const { apiId = 'API-ID' } = parseApiHost(options.baseUrl);
  const { pathname } = new URL(request.url);
  const resource = `arn:aws:execute-api:${region}:ACCOUNT:${apiId}/$default/${request.method}${pathname}`;
  const of = options.profile === undefined ? '' : ` of the profile "${options.profile}"`;
  const expired = key.expiration !== undefined && key.expiration.getTime() <= now;
  const causes = [
    ...(expired ? ['these credentials have expired: sign in again (aws sso login)'] : []),
    ...(offsetMs === 0 ? [] : [clockText(offsetMs)]),
    `the identity may not do this: its policy must allow execute-api:Invoke on ${resource}`,
    `it is the identity of another account, or the API is not in ${region}: look with aws sts get-caller-identity${options.profile === undefined ? '' : ` --profile ${options.profile}`}`,
  ];
  return new BorealisError(
    'FORBIDDEN',
    `${request.method} ${pathname} was refused before it reached Borealis; nothing was changed. It was signed with the key ${key.accessKeyId}${of}. The gateway does not say why; it is one of these: ${causes.map((cause, index) => `(${index + 1}) ${cause}`).join('; ')}. Policies to start from: docs/iam, docs/security.md.`,
    { details: { status: 403, resource, accessKeyId: key.accessKeyId, region } },
  );
}
