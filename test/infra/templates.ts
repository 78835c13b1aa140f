// The synthesised templates as the tests of security look at them.
import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { addBorealis } from '../../infra/borealis.ts';

export interface TemplateResource {
  readonly stack: string;
  readonly id: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: templates are looked at field by field
  readonly properties: any;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Every resource of every stack, with the feature flags of cdk.json. */
export function templateResources(context: Readonly<Record<string, unknown>> = {}): TemplateResource[] {
  const file = new URL('../../cdk.json', import.meta.url);
  const committed = JSON.parse(readFileSync(file, 'utf8')) as { context?: Record<string, unknown> };
  const app = new App({
    context: {
      ...committed.context,
      'aws:cdk:bundling-stacks': [],
      'borealis:cluster': 'test',
      // With the optional stack.
      'borealis:fleetMax': '2',
      ...context,
    },
    analyticsReporting: false,
  });
  addBorealis(app);
  return app.synth().stacks.flatMap((stack) => {
    const { Resources } = stack.template as { Resources: Record<string, RawResource> };
    return Object.entries(Resources).map(([id, { Type, Properties = {}, Metadata = {} }]) => ({
      stack: stack.stackName,
      id,
      type: Type,
      properties: Properties,
      metadata: Metadata,
    }));
  });
}

interface RawResource {
  readonly Type: string;
  readonly Properties?: unknown;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

/** One statement of a policy that goes to a role. */
export interface Grant {
  /** `stack/logical id` of the role. */
  readonly role: string;
  readonly effect: string;
  readonly actions: readonly string[];
  /** Flattened: references in angle brackets. */
  readonly resources: readonly string[];
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** What every role may do, from inline policies and policy resources. */
export function grantsOf(
  resources: readonly TemplateResource[],
  flatten: (value: unknown) => string,
): Grant[] {
  return resources.flatMap(({ stack, id, type, properties }) => {
    if (type === 'AWS::IAM::Role') {
      const policies = (properties.Policies ?? []) as { PolicyDocument: { Statement: Statement[] } }[];
      return policies.flatMap(({ PolicyDocument }) => statements(`${stack}/${id}`, PolicyDocument.Statement));
    }
    if (type !== 'AWS::IAM::Policy') return [];
    const roles = properties.Roles as { Ref: string }[];
    return roles.flatMap(({ Ref }) => statements(`${stack}/${Ref}`, properties.PolicyDocument.Statement));
  });

  function statements(role: string, all: readonly Statement[]): Grant[] {
    return all.map(({ Effect, Action, Resource }) => ({
      role,
      effect: Effect,
      actions: [Action].flat() as string[],
      resources: (Array.isArray(Resource) ? Resource : [Resource]).map(flatten),
    }));
  }
}
