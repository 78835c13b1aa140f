// cli/bin/borealis.mjs as a process: under a Node that is new enough, and under one that says it is old.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fakeApi, jobView, ok } from './support/fake-api.ts';
import { updateView } from './support/fake-updates.ts';

const launcher = fileURLToPath(new URL('../../cli/bin/borealis.mjs', import.meta.url));
const bundled = fileURLToPath(
  new URL(`../../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
);
const pretend = (version: string, arch = process.arch): string[] => [
  '--import',
  `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'});Object.defineProperty(process,'arch',{value:'${arch}'})`,
];

async function start(flags: readonly string[], argv: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [...flags, launcher, ...argv], { env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out, err };
}

describe('the launcher', () => {
  it('runs the CLI and passes on its exit code', async () => {
    expect(await start([], ['--version'])).toMatchObject({ code: 0, out: '0.1.0\n', err: '' });
    expect(await start([], ['nonsense'])).toMatchObject({ code: 2, out: '' });
  });

  it.runIf(existsSync(bundled))('under an old Node hands over to the one npm installed', async () => {
    expect(await start(pretend('20.11.0'), ['--version'])).toMatchObject({
      code: 0,
      out: '0.1.0\n',
      err: '',
    });
    expect(await start(pretend('20.11.0'), ['nonsense'])).toMatchObject({ code: 2 });
  });

  it('under an old Node without a newer one says what to do and ends with 5', async () => {
    const { code, out, err } = await start(pretend('18.0.0', 'riscv64' as typeof process.arch), [
      'job',
      'list',
    ]);
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain('needs Node 24');
    expect(err).toContain('nothing was done');
  });

  it.runIf(existsSync(bundled))(
    'passes a signal on to the Node it started',
    async () => {
      const child = spawn(process.execPath, [...pretend('20.11.0'), launcher, 'local', 'up', '--port', '0']);
      let out = '';
      let err = '';
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      await new Promise<void>((resolve, reject) => {
        child.stdout.on('data', (chunk: Buffer) => {
          out += chunk.toString();
          if (out.includes('\n')) resolve();
        });
        child.once('exit', () => reject(new Error(`ended early: ${err}`)));
      });
      const url = out.trim();
      expect((await fetch(`${url}/version`)).status).toBe(200);
      child.kill('SIGTERM');
      const [code] = (await once(child, 'exit')) as [number | null];
      expect(code).toBe(0);
      await expect(fetch(`${url}/version`)).rejects.toThrow();
    },
    60_000,
  );
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    const { code, out } = await start([], ['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain('borealis complete --');
  });

  it('offers commands, options and the keys of live jobs', async () => {
    const api = await fakeApi({ 'GET /jobs': () => ok({ jobs: [jobView()], nextCursor: null }) });
    try {
      const env = { BOREALIS_API: api.url };
      expect((await start([], ['complete', '--', 'job', 'st'], env)).out).toContain('status\t');
      expect((await start([], ['complete', '--', 'job', 'status', '--'], env)).out).toContain('--json\t');
      expect((await start([], ['complete', '--', 'job', 'status', ''], env)).out).toContain(
        'local/www/prod/hello\t',
      );
      expect((await start([], ['complete', '--', 'job', 'kill', 'local/'], env)).out).toContain(
        'local/www/prod/hello',
      );
    } finally {
      await api.close();
    }
  });

  it('offers the ids of the updates of the job on the line', async () => {
    const updates = { updates: [updateView({ updateId: '0mwsgzg7t-avbvy2cv' })], nextCursor: null };
    const api = await fakeApi({
      'GET /jobs': () => ok({ jobs: [jobView()], nextCursor: null }),
      'GET /jobs/www/prod/hello/updates': () => ok(updates),
    });
    try {
      const words = ['complete', '--', 'update', 'info', 'local/www/prod/hello', ''];
      expect((await start([], words, { BOREALIS_API: api.url })).out).toContain('0mwsgzg7t-avbvy2cv');
    } finally {
      await api.close();
    }
  });

  it('still offers commands when no API answers', async () => {
    const { code, out } = await start([], ['complete', '--', 'job', ''], {
      BOREALIS_API: 'http://127.0.0.1:1',
    });
    expect(code).toBe(0);
    expect(out).toContain('create\t');
  });
});
