// Every function as it is deployed: one file that loads by itself and stays small (design section 4: at most 1 MB).
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { bundling } from '../../infra/constructs/service-function.ts';

const maxBytes = 1_000_000;
const out = mkdtempSync(join(tmpdir(), 'borealis-bundles-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const functions = readdirSync('functions', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(join('functions', entry.name)).includes('handler.ts'))
  .map(({ name }) => name);

describe('a bundle', () => {
  it('exists for every function', () => {
    expect(functions).toHaveLength(11);
  });

  it.each(functions)('of %s loads without node_modules and is small', async (name) => {
    const outfile = join(out, name, 'index.mjs');
    await build({
      entryPoints: [join('functions', name, 'handler.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: bundling.format,
      target: bundling.target,
      minify: bundling.minify,
      mainFields: bundling.mainFields,
      banner: { js: bundling.banner },
    });
    expect(statSync(outfile).size).toBeLessThanOrEqual(maxBytes);
    const code = `import(${JSON.stringify(pathToFileURL(outfile).href)}).then((module) => console.log(typeof module.handler))`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: out });
    expect(stdout.trim()).toBe('function');
  });
});
