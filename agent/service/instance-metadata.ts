// The EC2 instance metadata service, version 2 (a session token for every read). Only reads; a path that is not there
// is undefined, a service that does not answer throws.
import { BorealisError } from '../../shared/lib/errors.ts';

const defaultBase = 'http://169.254.169.254';
const tokenLifeSecs = 21_600;
const timeoutMs = 2000;

export interface InstanceMetadata {
  /** Content below /latest/meta-data/; undefined where there is none. Throws UNAVAILABLE if nobody answers. */
  get(path: string): Promise<string | undefined>;
}

/** A client of the metadata service; `base` is replaced in tests. */
export function createInstanceMetadata(base: string = defaultBase): InstanceMetadata {
  let token: { readonly text: string; readonly until: number } | undefined;
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      return await fetch(`${base}${path}`, { ...init, signal: AbortSignal.timeout(timeoutMs) });
    } catch (cause) {
      throw new BorealisError('UNAVAILABLE', `the instance metadata service at ${base} does not answer`, {
        cause,
      });
    }
  };
  const currentToken = async (): Promise<string> => {
    if (token && Date.now() < token.until) return token.text;
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(tokenLifeSecs) };
    const answer = await ask('/latest/api/token', { method: 'PUT', headers });
    if (!answer.ok) throw unexpected('/latest/api/token', answer.status);
    // Renewed at half of its life, so that a slow clock never uses an expired one.
    token = { text: await answer.text(), until: Date.now() + tokenLifeSecs * 500 };
    return token.text;
  };
  return {
    async get(path) {
      const headers = { 'x-aws-ec2-metadata-token': await currentToken() };
      const answer = await ask(`/latest/meta-data/${path}`, { headers });
      const text = await answer.text();
      if (answer.status === 404) return undefined;
      if (answer.status === 401) token = undefined;
      if (!answer.ok) throw unexpected(path, answer.status);
      return text.trim();
    },
  };
}

function unexpected(path: string, status: number): BorealisError {
  return new BorealisError('UNAVAILABLE', `the instance metadata service answered ${status} for ${path}`);
}
