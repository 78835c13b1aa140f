// What the AwsSolutions rules of cdk-nag find in the CDK app, over each way it can be set up that changes what is made.
import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { addBorealis } from '../../infra/borealis.ts';

export interface NagFinding {
  readonly rule: string;
  readonly severity: string;
  readonly construct: string;
  readonly description: string;
}

/** The feature flags a deployment is synthesised with (cdk.json). */
function committedContext(): Readonly<Record<string, unknown>> {
  const file = new URL('../../cdk.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { context?: Record<string, unknown> }).context ?? {};
}

/** Every finding that nobody acknowledged, in order of rule and construct. */
export function nagFindings(context: Readonly<Record<string, unknown>> = {}): NagFinding[] {
  const app = new App({
    context: { ...committedContext(), 'aws:cdk:bundling-stacks': [], ...context },
    analyticsReporting: false,
  });
  addBorealis(app);
  app.synth();
  const { violations } = new AwsSolutionsChecks(app).validateScope(app);
  return violations
    .flatMap(({ ruleName, severity = 'error', description, violatingResources }) =>
      violatingResources.map(({ constructPath, resourceLogicalId }) => ({
        rule: ruleName,
        severity,
        construct: constructPath ?? resourceLogicalId ?? 'unknown',
        description,
      })),
    )
    .toSorted((a, b) => `${a.rule} ${a.construct}`.localeCompare(`${b.rule} ${b.construct}`));
}

/** What whoever sees a finding is told to do about it. */
export const nagAdvice =
  'Change the construct so that the rule holds. Where it should not hold, say why beside the construct with ' +
  'acknowledge() or grantWide() of infra/constructs/acknowledge.ts.';
