// All templates of the app as one world in which every reference can be followed, also from one stack to another.
import { BorealisError } from '../../shared/lib/errors.ts';
import { type Json, resolve, type Scope } from './intrinsics.ts';
import {
  type PhysicalContext,
  type ResourceType,
  resourceTypes,
  type Surroundings,
} from './resource-types.ts';
import type { Resource, Template, Templates } from './template.ts';

/** A resource with its references followed on demand. */
export interface LocatedResource {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly metadata: Readonly<Record<string, Json>>;
  /** All properties, resolved. */
  properties(): Readonly<Record<string, Json>>;
  /** What Ref of it means here. */
  ref(): string;
  /** What Fn::GetAtt of it means here. */
  attribute(name: string): string;
}

/** Every resource of every stack. INVALID_CONFIG at once for a resource type that nobody taught the embedded stack. */
export function openWorld(templates: Templates, around: Surroundings): readonly LocatedResource[] {
  const scopes = new Map<string, Scope>();
  const exports = (name: string, at: string): Json => exportedValue(templates, scopes, name, at);
  for (const [stack, template] of Object.entries(templates)) {
    scopes.set(stack, stackScope(stack, template, around, exports));
  }
  return Object.entries(templates).flatMap(([stack, template]) =>
    Object.entries(template.Resources ?? {}).map(([logicalId, resource]) => {
      const scope = scopes.get(stack) as Scope;
      const at = `${stack}/${logicalId}`;
      typeOf(resource, at);
      return {
        stack,
        logicalId,
        type: resource.Type,
        metadata: resource.Metadata ?? {},
        properties: () => resolve(resource.Properties ?? {}, scope, at) as Readonly<Record<string, Json>>,
        ref: () => scope.ref(logicalId, at),
        attribute: (name) => scope.attribute(logicalId, name, at),
      };
    }),
  );
}

function typeOf(resource: Resource, at: string): ResourceType {
  const type = resourceTypes[resource.Type];
  if (type) return type;
  throw new BorealisError(
    'INVALID_CONFIG',
    `template, ${at}: the embedded stack does not know resources of type ${resource.Type}, so it was not started. ` +
      'Teach it in local/template/resource-types.ts: what the type does here, or why it does nothing.',
  );
}

type Exports = (name: string, at: string) => Json;

function stackScope(stack: string, template: Template, around: Surroundings, exports: Exports): Scope {
  const pseudo: Readonly<Record<string, string>> = {
    'AWS::Region': around.region,
    'AWS::AccountId': around.accountId,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': stack,
    'AWS::StackId': `arn:aws:cloudformation:${around.region}:${around.accountId}:stack/${stack}/local`,
  };
  const find = (logicalId: string, at: string): { type: ResourceType; context: PhysicalContext } => {
    const resource = template.Resources?.[logicalId];
    if (!resource) throw unknown(at, `${logicalId} is not in stack ${stack}`);
    const property = (name: string): Json | undefined => {
      const value = resource.Properties?.[name];
      return value === undefined ? undefined : resolve(value, scope, `${stack}/${logicalId}.${name}`);
    };
    return { type: typeOf(resource, at), context: { logicalId, property, around } };
  };
  const scope: Scope = {
    ref(name, at) {
      const fixed = pseudo[name] ?? template.Parameters?.[name]?.Default;
      if (fixed !== undefined) return fixed;
      const { type, context } = find(name, at);
      return type.ref(context);
    },
    attribute(logicalId, attribute, at) {
      const { type, context } = find(logicalId, at);
      const value = type.attributes[attribute];
      if (!value) throw unknown(at, `attribute ${attribute} of ${logicalId} is not known`);
      return value(context);
    },
    importValue: exports,
  };
  return scope;
}

function exportedValue(
  templates: Templates,
  scopes: ReadonlyMap<string, Scope>,
  name: string,
  at: string,
): Json {
  for (const [stack, template] of Object.entries(templates)) {
    const scope = scopes.get(stack) as Scope;
    for (const [output, { Value, Export }] of Object.entries(template.Outputs ?? {})) {
      const here = `${stack}/Outputs.${output}`;
      if (Export && resolve(Export.Name, scope, here) === name) return resolve(Value, scope, here);
    }
  }
  throw unknown(at, `no stack exports ${name}`);
}

function unknown(at: string, what: string): BorealisError {
  return new BorealisError('INVALID_CONFIG', `template, ${at}: ${what}; the embedded stack was not started`);
}
