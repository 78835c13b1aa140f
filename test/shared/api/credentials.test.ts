// Where the key to sign with comes from, with the SDK's real chain against files and metadata servers on this machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSignedFetch } from '../../../shared/api/signed-fetch.ts';
import type { SigningOptions } from '../../../shared/api/signing.ts';
import { startVerifyingApi, testKey } from '../../support/verifying-api.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'borealis-credentials-'));
  // Nothing of the machine the test runs on: an empty variable counts as unset.
  const cleared = [
    'AWS_PROFILE',
    'AWS_REGION',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
  ];
  for (const name of cleared) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(dir, 'credentials'));
  vi.stubEnv('AWS_CONFIG_FILE', join(dir, 'config'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const temporary = {
  AccessKeyId: testKey.accessKeyId,
  SecretAccessKey: testKey.secretAccessKey,
  Token: 'session-token',
  Expiration: new Date(Date.now() + 3_600_000).toISOString(),
};

/** A metadata service; answers its address and what it was asked. */
async function metadata(
  answer: (path: string, request: IncomingMessage) => { readonly status: number; readonly text: string },
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status, text } = answer(request.url ?? '', request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(text);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The reason a verifying server refused one request for, if it did. */
async function signWith(
  options: Partial<SigningOptions> & { readonly token?: string },
): Promise<string | undefined> {
  const { token, ...signing } = options;
  const api = await startVerifyingApi({
    answer: () => ({ status: 200, body: {} }),
    ...(token !== undefined && { tokens: { [testKey.accessKeyId]: token } }),
  });
  const signed = createSignedFetch({ baseUrl: api.url, region: 'eu-west-1', ...signing });
  await (await signed(`${api.url}/version`)).text();
  expect(api.seen).toHaveLength(1);
  return api.seen[0]?.refused;
}

const profile = (name: string): string =>
  `[${name}]\naws_access_key_id = ${testKey.accessKeyId}\naws_secret_access_key = ${testKey.secretAccessKey}\n`;

describe('the key to sign with', () => {
  it('comes from the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', testKey.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', testKey.secretAccessKey);
    expect(await signWith({})).toBeUndefined();
  });

  it('comes from a named profile, even if there are keys in the environment', async () => {
    writeFileSync(join(dir, 'credentials'), profile('prod'));
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAOTHER');
    expect(await signWith({ profile: 'prod' })).toBeUndefined();
  });

  it('comes from AWS_PROFILE, and the region with it', async () => {
    writeFileSync(join(dir, 'credentials'), profile('prod'));
    writeFileSync(join(dir, 'config'), '[profile prod]\nregion = eu-west-1\n');
    vi.stubEnv('AWS_PROFILE', 'prod');
    expect(await signWith({ region: undefined })).toBeUndefined();
  });

  it('comes from a program that a profile names', async () => {
    const answer = JSON.stringify({
      Version: 1,
      AccessKeyId: testKey.accessKeyId,
      SecretAccessKey: testKey.secretAccessKey,
    });
    writeFileSync(join(dir, 'answer.json'), answer);
    writeFileSync(
      join(dir, 'config'),
      `[profile sso]\ncredential_process = cat ${join(dir, 'answer.json')}\n`,
    );
    expect(await signWith({ profile: 'sso' })).toBeUndefined();
  });

  it('comes from the role of an ECS task', async () => {
    const ecs = await metadata((path) => ({
      status: path === '/creds' ? 200 : 404,
      text: JSON.stringify(temporary),
    }));
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${ecs.url}/creds`);
    expect(await signWith({ token: 'session-token' })).toBeUndefined();
    expect(ecs.asked).toEqual(['GET /creds']);
  });

  it('comes from the role of an EC2 instance, by IMDSv2', async () => {
    const role = '/latest/meta-data/iam/security-credentials/';
    const imds = await metadata((path, { method, headers }) => {
      if (method === 'PUT' && path === '/latest/api/token') return { status: 200, text: 'imds-token' };
      if (headers['x-aws-ec2-metadata-token'] !== 'imds-token') return { status: 401, text: '' };
      if (path === role) return { status: 200, text: 'agent' };
      const text = JSON.stringify({
        Code: 'Success',
        Type: 'AWS-HMAC',
        LastUpdated: new Date(),
        ...temporary,
      });
      return path === `${role}agent` ? { status: 200, text } : { status: 404, text: '' };
    });
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined);
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', imds.url);
    expect(await signWith({ token: 'session-token' })).toBeUndefined();
    expect(imds.asked[0]).toBe('PUT /latest/api/token');
  });

  it('is missed before anything is sent, with what to do', async () => {
    await expect(signWith({ profile: 'nobody' })).rejects.toThrow(
      /no AWS credentials for the profile "nobody".*--profile/,
    );
  });
});

describe('the region to sign for', () => {
  it('is asked for where neither address, option, environment nor profile says it', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', testKey.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', testKey.secretAccessKey);
    await expect(signWith({ region: undefined })).rejects.toThrow(/does not say its AWS region.*--region/);
  });
});
