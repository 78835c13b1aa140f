// The CLI's options for signing, against a server that verifies signatures; and that a local stack is not made to pay.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startVerifyingApi, testKey } from '../support/verifying-api.ts';
import { runCli } from './support/fake-io.ts';

const dir = mkdtempSync(join(tmpdir(), 'borealis-cli-signing-'));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const verifying = () =>
  startVerifyingApi({ answer: () => ({ status: 200, body: { jobs: [], nextCursor: null } }) });

describe('the CLI', () => {
  it('signs with the named profile for the named region', async () => {
    const { url, seen } = await verifying();
    const file = join(dir, 'credentials');
    writeFileSync(
      file,
      `[p]\naws_access_key_id=${testKey.accessKeyId}\naws_secret_access_key=${testKey.secretAccessKey}\n`,
    );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
    const flags = ['--auth', 'iam', '--profile', 'p', '--region', 'eu-west-1'];
    expect(await runCli([...flags, 'job', 'list', '--json'], { api: url })).toMatchObject({
      code: 0,
      err: '',
    });
    const env = { BOREALIS_AUTH: 'iam', AWS_PROFILE: 'p', AWS_REGION: 'eu-west-1' };
    expect(await runCli(['job', 'list', '--json'], { api: url, env })).toMatchObject({ code: 0, err: '' });
    expect(seen.map(({ refused }) => refused)).toEqual([undefined, undefined]);
  });

  it('ends with 30 and says why when the API refuses', async () => {
    const { url } = await verifying();
    vi.stubEnv('AWS_ACCESS_KEY_ID', testKey.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'not it');
    vi.stubEnv('AWS_PROFILE', undefined);
    const { code, err } = await runCli(['--auth', 'iam', '--region', 'eu-west-1', 'job', 'list'], {
      api: url,
    });
    expect(code).toBe(30);
    expect(err).toMatch(/FORBIDDEN: GET \/jobs was refused before it reached Borealis/);
  });

  it('refuses an unknown way to authenticate', async () => {
    const { code, err } = await runCli(['--auth', 'basic', 'job', 'list']);
    expect([code, err]).toEqual([6, expect.stringContaining('"basic" (from --auth)')]);
  });

  it('loads nothing of AWS for a stack on this machine', async () => {
    const { url } = await verifying();
    const listing = await loadedModules(['--auth', 'none', '--api', url, 'version']);
    expect(listing.some((module) => module.includes('/cli/session.ts'))).toBe(true);
    expect(listing.filter((module) => /@smithy|@aws-sdk|signed-fetch/.test(module))).toEqual([]);
  });
});

/** Every module that one run of the CLI resolves. */
async function loadedModules(argv: readonly string[]): Promise<string[]> {
  const hook = `import{registerHooks}from'node:module';registerHooks({resolve(s,c,n){const r=n(s,c);console.error('LOADED '+r.url);return r}})`;
  const launcher = fileURLToPath(new URL('../../cli/bin/borealis.mjs', import.meta.url));
  const child = spawn(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(hook)}`,
    launcher,
    ...argv,
  ]);
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  await once(child, 'close');
  return err.split('\n').flatMap((line) => (line.startsWith('LOADED ') ? [line.slice(7)] : []));
}
