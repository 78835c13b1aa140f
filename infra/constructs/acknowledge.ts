// Where a general rule does not hold here on purpose: the reason stands beside the construct, goes into the template's
// metadata, and keeps the tests quiet (test/infra/nag.test.ts, test/infra/least-privilege.test.ts).
import { CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { Effect, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';

/** Key in a role's template metadata: each wildcard in its rights with the reason for it. */
const wildcardMetadata = 'borealis:wildcards';

/** A rule of cdk-nag (`AwsSolutions-SQS3`) that does not hold for a construct, and why. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

export interface WideGrant {
  readonly actions: readonly string[];
  /** With at least one wildcard; else use an ordinary grant. */
  readonly resources: readonly string[];
  /** Why nothing narrower will do: what is not known beforehand, or what the service has no resource for. */
  readonly because: string;
}

/** Gives rights whose resources hold a wildcard. The reason goes where whoever reviews the template sees it. */
export function grantWide(to: IGrantable & IConstruct, { actions, resources, because }: WideGrant): void {
  to.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] }),
  );
  for (const resource of resources) explainWildcard(to, resource, because);
}

/** The reason for a wildcard in rights that a construct of the CDK library gives by itself. */
export function explainWildcard(construct: IConstruct, resource: string, because: string): void {
  const flat = flattened(Stack.of(construct).resolve(resource));
  acknowledge(construct, `AwsSolutions-IAM5[Resource::${flat}]`, because);
  const role = construct.node.findAll().find(isRole);
  if (!role)
    throw new Error(`${construct.node.path} holds no role whose right to ${flat} could be explained`);
  const known = (role.getMetadata(wildcardMetadata) ?? {}) as Record<string, string>;
  role.addMetadata(wildcardMetadata, { ...known, [flat]: because });
}

function isRole(construct: IConstruct): construct is CfnResource {
  return CfnResource.isCfnResource(construct) && construct.cfnResourceType === 'AWS::IAM::Role';
}

/** A resource as one text: references in angle brackets. cdk-nag names its findings so. */
export function flattened(value: unknown): string {
  if (typeof value === 'string') return value;
  const [kind, inner] = Object.entries(value as Readonly<Record<string, unknown>>)[0] ?? [];
  if (kind === 'Fn::Join') {
    const [separator, parts] = inner as [string, unknown[]];
    return parts.map(flattened).join(separator);
  }
  if (kind === 'Fn::GetAtt') return `<${(inner as string[]).join('.')}>`;
  if (kind === 'Fn::ImportValue') return flattened(inner);
  return kind === 'Ref' ? `<${String(inner)}>` : JSON.stringify(value);
}
