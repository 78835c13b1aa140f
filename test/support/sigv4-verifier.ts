// Verifies SigV4 signatures as an AWS service does: written from the description of the algorithm with node:crypto only,
// sharing nothing with the signer under test, and itself held to AWS's published examples (sigv4-verifier.test.ts).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface Expected {
  readonly service: string;
  readonly region: string;
  /** Secret of a key id, and the session token it must come with. */
  readonly keys: Readonly<Record<string, { readonly secret: string; readonly token?: string }>>;
  /** Epoch ms. */
  readonly now: number;
}

const windowMs = 5 * 60_000;
const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text, 'utf8').digest();

/** Undefined if the signature holds, else why not. */
export function whyRefused(request: ReceivedRequest, expected: Expected): string | undefined {
  const header = request.headers.authorization ?? '';
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!parts) return `malformed authorization header: ${header}`;
  const [, keyId = '', day = '', region = '', service = '', signed = '', signature = ''] = parts;
  const key = expected.keys[keyId];
  if (!key) return `unknown key ${keyId}`;
  if (region !== expected.region || service !== expected.service) return `scope ${region}/${service}`;
  if (request.headers['x-amz-security-token'] !== key.token) return 'wrong session token';
  const date = request.headers['x-amz-date'] ?? '';
  if (Math.abs(epochOf(date) - expected.now) > windowMs || !date.startsWith(day)) return `date ${date}`;
  const names = signed.split(';');
  const unsigned = Object.keys(request.headers).filter(
    (name) => /^(host|x-amz-.*|content-type|idempotency-key)$/.test(name) && !names.includes(name),
  );
  // The examples of AWS sign all of these; an unsigned one could be changed on the way.
  if (unsigned.length > 0 || names.join() !== names.toSorted().join()) return `signed headers ${signed}`;
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical(request, names))].join('\n');
  const secret = [region, service, 'aws4_request'].reduce<Buffer>(
    (inner, text) => hmac(inner, text),
    hmac(`AWS4${key.secret}`, day),
  );
  const right = hmac(secret, toSign);
  return timingSafeEqual(right, Buffer.from(signature, 'hex')) ? undefined : 'signature does not match';
}

function canonical({ method, target, headers, body }: ReceivedRequest, names: readonly string[]): string {
  const [path = '/', query = ''] = target.split(/\?(.*)/s);
  const headerLines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}\n`);
  // The path as sent is encoded once more, as for every service but S3.
  const canonicalPath = path.split('/').map(encoded).join('/');
  return [
    method,
    canonicalPath,
    canonicalQuery(query),
    headerLines.join(''),
    names.join(';'),
    sha256(body),
  ].join('\n');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  return query
    .split('&')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      // A + is a plus here: who means a space sends %20.
      return [encoded(decodeURIComponent(name)), encoded(decodeURIComponent(value))] as const;
    })
    .toSorted(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function encoded(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9\-._~]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function epochOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
