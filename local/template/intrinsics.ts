// Resolves CloudFormation's intrinsic functions, as many of them as our templates use. Pure. What it does not know is an
// error that names the place, never something silently left as it is.
import { BorealisError } from '../../shared/lib/errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where names lead; each throws a BorealisError if it does not know. `at` is the place in the template, for messages. */
export interface Scope {
  ref(logicalId: string, at: string): string;
  attribute(logicalId: string, attribute: string, at: string): string;
  importValue(exportName: string, at: string): Json;
}

type Intrinsic = (argument: Json, scope: Scope, at: string) => Json;

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope, at) => scope.ref(text(argument, at), at),
  'Fn::GetAtt': (argument, scope, at) => {
    const [id, ...path] =
      typeof argument === 'string' ? argument.split('.') : list(argument, at).map((part) => text(part, at));
    return scope.attribute(id ?? '', path.join('.'), at);
  },
  'Fn::ImportValue': (argument, scope, at) => scope.importValue(text(resolve(argument, scope, at), at), at),
  'Fn::Join': (argument, scope, at) => {
    const [separator, parts] = list(argument, at);
    const values = list(resolve(parts ?? [], scope, at), at);
    return values.map((part) => scalar(part, at)).join(text(separator ?? '', at));
  },
  'Fn::Split': (argument, scope, at) => {
    const [separator, whole] = list(argument, at);
    return text(resolve(whole ?? '', scope, at), at).split(text(separator ?? '', at));
  },
  'Fn::Select': (argument, scope, at) => {
    const [index, from] = list(argument, at);
    const chosen = list(resolve(from ?? [], scope, at), at)[Number(resolve(index ?? 0, scope, at))];
    if (chosen === undefined) throw problem(at, `Fn::Select finds nothing at index ${JSON.stringify(index)}`);
    return chosen;
  },
  'Fn::Sub': (argument, scope, at) => {
    const [template, own] = typeof argument === 'string' ? [argument, {}] : list(argument, at);
    return substitute(text(template ?? '', at), record(own ?? {}, at), scope, at);
  },
};

/** The value with every intrinsic function replaced by what it means in this scope. */
export function resolve(value: Json, scope: Scope, at: string): Json {
  if (isList(value)) return value.map((item, index) => resolve(item, scope, `${at}[${index}]`));
  if (value === null || typeof value !== 'object') return value;
  const keys = Object.keys(value);
  const only = keys.length === 1 ? keys[0] : undefined;
  if (only !== undefined && (only === 'Ref' || only === 'Condition' || only.startsWith('Fn::'))) {
    const intrinsic = intrinsics[only];
    // `Condition` is also an ordinary property name, whose value is not a text (an IAM policy's conditions).
    if (intrinsic) return intrinsic((value as Record<string, Json>)[only] ?? null, scope, at);
    if (only !== 'Condition') {
      throw problem(at, `uses ${only}, which the embedded stack does not know`);
    }
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, resolve(item, scope, `${at}.${key}`)]),
  );
}

/** `${Id}`, `${Id.Attribute}`, `${Own}`; `${!Literal}` stays `${Literal}`. */
function substitute(template: string, own: Readonly<Record<string, Json>>, scope: Scope, at: string): string {
  return template.replaceAll(/\$\{(!?)([^}]*)\}/g, (_, literal: string, name: string) => {
    if (literal !== '') return `\${${name}}`;
    const mine = own[name];
    if (mine !== undefined) return scalar(resolve(mine, scope, at), at);
    const [id, ...path] = name.split('.');
    return scalar(
      path.length === 0 ? scope.ref(name, at) : scope.attribute(id ?? '', path.join('.'), at),
      at,
    );
  });
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function list(value: Json, at: string): readonly Json[] {
  if (isList(value)) return value;
  throw problem(at, 'needs a list');
}

function record(value: Json, at: string): Readonly<Record<string, Json>> {
  if (value !== null && typeof value === 'object' && !isList(value)) return value as Record<string, Json>;
  throw problem(at, 'needs an object');
}

function text(value: Json, at: string): string {
  if (typeof value === 'string') return value;
  throw problem(at, `needs a text, not ${JSON.stringify(value)}`);
}

function scalar(value: Json, at: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw problem(at, `needs a text, not ${JSON.stringify(value)}`);
}

function problem(at: string, what: string): BorealisError {
  return new BorealisError('INVALID_CONFIG', `template, ${at}: ${what}; the embedded stack was not started`);
}
