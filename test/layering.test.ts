// The import rules as a test: who may import whom, read from esbuild's own dependency graph. A breach names the file.
import { readdirSync } from 'node:fs';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

interface Rule {
  /** Folders of the project this layer may import besides itself. */
  readonly layers: readonly string[];
  /** Packages it may import (prefixes); `node:` modules are free unless `pure`. */
  readonly packages: readonly string[];
  /** No platform access at all: no node: modules (pure domain and model). */
  readonly pure?: true;
}

const sdk = '@aws-sdk/';
const rules: Readonly<Record<string, Rule>> = {
  'shared/lib': { layers: [], packages: [] },
  'shared/model': { layers: [], packages: ['zod'], pure: true },
  'shared/domain': { layers: ['shared/model', 'shared/lib'], packages: [], pure: true },
  'shared/store': {
    layers: ['shared/model', 'shared/lib', 'shared/domain'],
    packages: [sdk, '@smithy/'],
  },
  'shared/api': {
    layers: ['shared/model', 'shared/lib'],
    packages: ['zod', 'zod-openapi', '@smithy/', '@aws-sdk/credential-providers'],
  },
  'shared/config': {
    layers: ['shared/model', 'shared/lib'],
    packages: ['zod', 'yaml', 'acorn', '@sveltejs/acorn-typescript'],
  },
  functions: {
    layers: [
      'shared/model',
      'shared/lib',
      'shared/domain',
      'shared/store',
      'shared/api',
      'shared/config',
      'package.json',
    ],
    packages: [sdk, '@smithy/', '@middy/', '@aws-lambda-powertools/', 'zod'],
  },
  agent: {
    layers: ['shared/model', 'shared/lib', 'shared/api', 'shared/config', 'package.json'],
    packages: [sdk, '@smithy/', 'zod'],
  },
  cli: {
    layers: [
      'shared/model',
      'shared/lib',
      'shared/api',
      'shared/config',
      'shared/domain',
      'agent',
      'local',
      'package.json',
    ],
    packages: ['commander', '@commander-js/', '@bomb.sh/tab', 'string-width', 'yaml', 'zod', sdk, '@smithy/'],
  },
  infra: {
    layers: ['shared/model', 'shared/lib', 'shared/api', 'shared/store'],
    packages: ['aws-cdk-lib', 'constructs', 'esbuild', 'tar'],
  },
  local: {
    layers: [
      'infra',
      'functions',
      'shared/model',
      'shared/lib',
      'shared/api',
      'shared/config',
      'shared/domain',
      'shared/store',
      'agent',
      'cli',
      'package.json',
    ],
    packages: [
      sdk,
      '@smithy/',
      'fauxqs',
      'aws-local-stepfunctions',
      'aws-cdk-lib',
      'constructs',
      'yaml',
      'zod',
      '@dynoxide/',
    ],
  },
};

const layerNames = Object.keys(rules);

function layerOf(path: string): string {
  return layerNames.find((name) => path.startsWith(`${name}/`)) ?? path;
}

function sources(): string[] {
  return layerNames.flatMap((layer) =>
    readdirSync(layer, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${layer}/${name}`),
  );
}

/** Every import of every file: [importer, imported file or package]. */
async function importGraph(entryPoints: string[]): Promise<[string, string][]> {
  const result = await build({
    entryPoints,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    outdir: 'unused',
    logLevel: 'silent',
    loader: { '.json': 'json' },
  });
  return Object.entries(result.metafile.inputs).flatMap(([file, input]) =>
    input.imports.map((one): [string, string] => [file, one.path]),
  );
}

function breach(importer: string, imported: string, isFile: boolean): string | undefined {
  const layer = layerOf(importer);
  const rule = rules[layer];
  if (!rule) return undefined;
  if (isFile) {
    const target = layerOf(imported);
    if (target === layer || rule.layers.includes(target)) return undefined;
    return `${importer} imports ${imported}, but ${layer} may only import ${rule.layers.join(', ') || 'itself'}`;
  }
  if (
    /^(node:)?(fs|os|path|crypto|http|https|net|child_process|url|util|stream|timers|worker_threads|events|zlib|perf_hooks|readline|process|module|sqlite|v8|buffer|assert|async_hooks|string_decoder|test|tty)(\/|$)/.test(
      imported,
    )
  ) {
    return rule.pure ? `${importer} imports ${imported}, but ${layer} is pure` : undefined;
  }
  if (
    rule.packages.some(
      (name) => imported === name || imported.startsWith(name.endsWith('/') ? name : `${name}/`),
    )
  ) {
    return undefined;
  }
  return `${importer} imports package ${imported}, which is not on the list of ${layer}`;
}

describe('layering', () => {
  it('holds for every import in the tree', async () => {
    const files = sources();
    const known = new Set(files);
    const graph = await importGraph(files);
    expect(graph.length).toBeGreaterThan(50);
    const breaches = graph.flatMap(([importer, imported]) => {
      const found = breach(importer, imported, known.has(imported) || imported === 'package.json');
      return found ? [found] : [];
    });
    expect(breaches).toEqual([]);
  });

  it.each([
    ['shared/domain/task/apply.ts', '@aws-sdk/client-dynamodb', false],
    ['shared/domain/task/apply.ts', 'node:fs', false],
    ['shared/domain/task/apply.ts', 'shared/store/port.ts', true],
    ['shared/model/job.ts', 'shared/lib/errors.ts', true],
    ['agent/main.ts', 'functions/api/handler.ts', true],
    ['agent/main.ts', 'shared/store/port.ts', true],
    ['functions/api/handler.ts', 'infra/app.ts', true],
    ['infra/app.ts', 'functions/api/handler.ts', true],
    ['cli/main.ts', 'shared/store/port.ts', true],
    ['shared/config/load.ts', 'left-pad', false],
  ])('refuses %s importing %s', (importer, imported, isFile) => {
    expect(breach(importer, imported, isFile)).toBeDefined();
  });

  it.each([
    ['shared/domain/task/apply.ts', 'shared/model/task.ts', true],
    ['functions/api/handler.ts', 'shared/store/port.ts', true],
    ['shared/store/dynamo-store.ts', '@aws-sdk/lib-dynamodb', false],
  ])('allows %s importing %s', (importer, imported, isFile) => {
    expect(breach(importer, imported, isFile)).toBeUndefined();
  });
});
