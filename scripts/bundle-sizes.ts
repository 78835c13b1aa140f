// Prints the size of each function's bundle and the time a new Node process takes to load it: `npm run bundle-sizes`.
// Bars (design.md section 4): 1 MB each. The time is the median of several new processes, less that of an empty one;
// a Lambda function has slower processors and no warm disk, so it compares bundles, it does not foretell cold starts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { bundleAgent } from '../infra/agent-package.ts';
import { bundling } from '../infra/constructs/service-function.ts';

const runs = 7;
const barBytes = 1_000_000;
const dir = mkdtempSync(join(tmpdir(), 'borealis-bundle-sizes-'));

/** Milliseconds of a new process that runs this code. */
function processMs(code: string): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: {},
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - began;
}

function medianMs(code: string): number {
  const times = Array.from({ length: runs }, () => processMs(code)).toSorted((a, b) => a - b);
  return times[Math.floor(runs / 2)] ?? 0;
}

function report(name: string, file: string, emptyMs: number | undefined): boolean {
  const bytes = statSync(file).size;
  const packed = gzipSync(readFileSync(file)).length;
  const load =
    emptyMs === undefined
      ? ''
      : `${Math.max(0, medianMs(`await import(${JSON.stringify(pathToFileURL(file).href)})`) - emptyMs).toFixed(0)} ms`;
  const kb = (n: number) => `${(n / 1000).toFixed(0)} kB`;
  const over = bytes > barBytes ? '  over the bar of 1 MB' : '';
  process.stdout.write(
    `${name.padEnd(18)}${kb(bytes).padStart(9)}${kb(packed).padStart(9)}${load.padStart(9)}${over}\n`,
  );
  return bytes <= barBytes;
}

try {
  const names = readdirSync('functions').filter((name) => existsSync(join('functions', name, 'handler.ts')));
  process.stdout.write(
    `${'function'.padEnd(18)}${'size'.padStart(9)}${'gzip'.padStart(9)}${'import'.padStart(9)}\n`,
  );
  const emptyMs = medianMs('0');
  const within = names.map((name) => {
    const outfile = join(dir, `${name}.mjs`);
    buildSync({
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
    return report(name, outfile, emptyMs);
  });
  process.stdout.write('on the agents\n');
  bundleAgent(dir);
  // Importing these would start an agent.
  for (const name of ['agent', 'runner']) report(name, join(dir, `${name}.mjs`), undefined);
  if (within.includes(false)) process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
