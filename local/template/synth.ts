// Synthesises the CDK app inside this process, without bundling any function, and answers its templates. The CDK library
// is large, so local/template/synth-worker.ts runs this in a thread of its own that ends afterwards.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { addBorealis } from '../../infra/borealis.ts';
import type { Template, Templates } from './template.ts';

/** The templates for a cluster, without authorisation and with capacity metering, as the embedded stack wants them. */
export function synthTemplates(cluster: string): Templates {
  const outdir = mkdtempSync(join(tmpdir(), 'borealis-synth-'));
  try {
    return synthInto(outdir, cluster);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

function synthInto(outdir: string, cluster: string): Templates {
  const app = new App({
    outdir,
    context: {
      ...committedContext(),
      'aws:cdk:bundling-stacks': [],
      'borealis:cluster': cluster,
      'borealis:auth': 'none',
      'borealis:meter': 'true',
    },
    analyticsReporting: false,
  });
  addBorealis(app);
  const stacks = app.synth().stacks;
  return Object.fromEntries(stacks.map((stack) => [stack.stackName, stack.template as Template]));
}

/** The feature flags a deployment is synthesised with (cdk.json); without them the templates would differ. */
function committedContext(): Readonly<Record<string, unknown>> {
  const file = new URL('../../cdk.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { context?: Record<string, unknown> }).context ?? {};
}
