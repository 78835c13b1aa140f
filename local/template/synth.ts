// Synthesises the CDK app inside this process, without bundling any function, and answers its templates. The CDK library
// is large, so local/template/synth-worker.ts runs this in a thread of its own that ends afterwards.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { App } from 'aws-cdk-lib';
import { addBorealis } from '../../infra/borealis.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Template, Templates } from './template.ts';

export interface SynthRequest {
  readonly cluster: string;
  /** Modules that export `addStacks(app)`: more stacks beside those of Borealis. */
  readonly stacks: readonly string[];
  /** More CDK context, such as `borealis:backlogLimit`. */
  readonly context: Readonly<Record<string, string>>;
}

/** The templates for a cluster, without authorisation and with capacity metering, as the embedded stack wants them. */
export async function synthTemplates(request: SynthRequest): Promise<Templates> {
  const outdir = mkdtempSync(join(tmpdir(), 'borealis-synth-'));
  try {
    return await synthInto(outdir, request);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

async function synthInto(
  outdir: string,
  { cluster, stacks: files, context }: SynthRequest,
): Promise<Templates> {
  const app = new App({
    outdir,
    context: {
      ...committedContext(),
      'aws:cdk:bundling-stacks': [],
      'borealis:cluster': cluster,
      'borealis:auth': 'none',
      'borealis:meter': 'true',
      ...context,
    },
    analyticsReporting: false,
  });
  addBorealis(app);
  for (const file of files) (await stacksOf(file))(app);
  const stacks = app.synth().stacks;
  return Object.fromEntries(stacks.map((stack) => [stack.stackName, stack.template as Template]));
}

async function stacksOf(file: string): Promise<(app: App) => void> {
  const module = (await import(pathToFileURL(resolve(file)).href)) as { readonly addStacks?: unknown };
  if (typeof module.addStacks === 'function') return module.addStacks as (app: App) => void;
  throw new BorealisError('INVALID_CONFIG', `${file} does not export addStacks(app); nothing was started`);
}

/** The feature flags a deployment is synthesised with (cdk.json); without them the templates would differ. */
function committedContext(): Readonly<Record<string, unknown>> {
  const file = new URL('../../cdk.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { context?: Record<string, unknown> }).context ?? {};
}
