// zod's issues as problems a person understands: what was expected, what is there, and which name was meant.
import * as z from 'zod';
import { auroraNames, fileJobSchema, laterFields } from './job-file.ts';
import type { ConfigPath } from './problem.ts';
import {
  describeValue,
  type MapNode,
  nearestNode,
  nodeAt,
  type SourceNode,
  type TreeProblem,
} from './source-tree.ts';
import { closestName } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** The schema below optional, default and the like. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap();
  return inner;
}

/** The schema at a path, to know which names are allowed there. */
function schemaAt(root: z.core.$ZodType, path: ConfigPath): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = unwrap(root);
  for (const key of path) {
    if (schema instanceof z.ZodObject) {
      const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
      schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    } else if (schema instanceof z.ZodArray) schema = schema.element;
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else return undefined;
    if (schema !== undefined) schema = unwrap(schema);
  }
  return schema;
}

function fieldNames(schema: z.core.$ZodType | undefined): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** Objects of a job whose fields people put in the wrong place. */
const homes: readonly { readonly name: string; readonly fields: readonly string[] }[] = [
  { name: 'the job', fields: fieldNames(fileJobSchema) },
  { name: 'task', fields: fieldNames(schemaAt(fileJobSchema, ['task'])) },
  { name: 'task.resources', fields: fieldNames(schemaAt(fileJobSchema, ['task', 'resources'])) },
  { name: 'a process', fields: fieldNames(schemaAt(fileJobSchema, ['task', 'processes', 0])) },
  { name: 'healthCheck', fields: fieldNames(schemaAt(fileJobSchema, ['healthCheck'])) },
];

/** Problem text for a field no schema knows. */
export function unknownField(key: string, allowed: readonly string[]): { message: string; hint: string } {
  const shown = key.length > 60 ? `${key.slice(0, 57)}...` : key;
  const plain = key.replaceAll(/[_-]/g, '').toLowerCase();
  for (const [name, what] of laterFields) {
    if (name.toLowerCase() === plain) {
      return {
        message: `${shown} is not supported yet`,
        hint: `${what} come in a later version; remove the field`,
      };
    }
  }
  const renamed = auroraNames.get(plain);
  const meant =
    renamed !== undefined && allowed.includes(renamed.split('.', 1)[0] as string)
      ? renamed
      : closestName(key, allowed);
  if (meant !== undefined) {
    return {
      message: `unknown field ${shown}, did you mean ${meant}?`,
      hint: `write ${meant}, or remove it`,
    };
  }
  const home = homes.find(({ fields }) => fields.includes(key));
  if (home !== undefined)
    return { message: `unknown field ${shown} here`, hint: `it belongs in ${home.name}` };
  return { message: `unknown field ${shown}`, hint: `fields here: ${allowed.join(', ')}` };
}

const expectedWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of fields',
  record: 'a map',
};

function wrongType(
  issue: z.core.$ZodIssueInvalidType,
  node: SourceNode | undefined,
): { message: string; hint?: string } {
  const expected = expectedWords[issue.expected] ?? issue.expected;
  const message = `expected ${expected}, got ${describeValue(node)}`;
  if (node?.kind !== 'scalar') return { message };
  if (issue.expected === 'string') {
    return {
      message,
      hint:
        node.value === null ? 'give it a value, or remove the field' : `put it in quotes: "${node.value}"`,
    };
  }
  if (typeof node.value === 'string' && /^-?\d+(\.\d+)?$|^(true|false)$/.test(node.value)) {
    return { message, hint: `write ${node.value} without quotes` };
  }
  return { message };
}

/** Patterns of the model and what they ask for. */
const patterns: readonly { readonly pattern: string; readonly says: string }[] = [
  { pattern: '^[\\w\\-.]+$', says: 'only letters, digits, _ - and . are allowed' },
  { pattern: '^[\\w-]{1,64}$', says: 'only letters, digits, _ and - are allowed, at most 64' },
  {
    pattern: '^[^./~][^/]{0,127}$',
    says: 'it may not start with . or ~, hold a / or be longer than 128 characters',
  },
];

function size(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small';
  const bound = small ? issue.minimum : issue.maximum;
  const unit: Readonly<Record<string, string>> = { string: ' characters', array: ' entries' };
  const word = small
    ? issue.inclusive === false
      ? 'more than'
      : 'at least'
    : issue.inclusive === false
      ? 'less than'
      : 'at most';
  return `must ${unit[issue.origin] === undefined ? 'be' : 'have'} ${word} ${bound}${unit[issue.origin] ?? ''}`;
}

function describeIssue(issue: Issue, node: SourceNode | undefined): { message: string; hint?: string } {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue, node);
    case 'too_small':
    case 'too_big':
      return { message: `${describeValue(node)} ${size(issue)}` };
    case 'invalid_value': {
      const values = issue.values.map(String);
      const meant =
        node?.kind === 'scalar' && typeof node.value === 'string'
          ? closestName(node.value, values)
          : undefined;
      const message = `${describeValue(node)} is not one of ${values.join(', ')}`;
      return meant === undefined ? { message } : { message, hint: `did you mean ${meant}?` };
    }
    case 'invalid_format': {
      const says = patterns.find(({ pattern }) => issue.pattern === `/${pattern}/`)?.says;
      const prefix = 'prefix' in issue ? `it must start with ${String(issue.prefix)}` : undefined;
      return { message: `${describeValue(node)} is not valid: ${says ?? prefix ?? issue.message}` };
    }
    case 'invalid_key':
      return { message: 'the name is empty or too long' };
    case 'unrecognized_keys':
    case 'not_multiple_of':
    case 'invalid_union':
    case 'invalid_element':
    case 'custom':
      return { message: issue.message };
  }
}

/** Unknown fields of one map that are reported. */
const maxUnknown = 100;

/** Every issue as problems with places. */
export function schemaProblems(
  schema: z.core.$ZodType,
  root: SourceNode,
  issues: readonly Issue[],
): TreeProblem[] {
  return issues.flatMap((issue): TreeProblem[] => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? key.toString() : key));
    const node = nodeAt(root, path);
    if (issue.code === 'unrecognized_keys') {
      const allowed = fieldNames(schemaAt(schema, path));
      return issue.keys.slice(0, maxUnknown).map((key) => ({
        path: [...path, key],
        ...keyPlace(node as MapNode | undefined, key),
        ...unknownField(key, allowed),
      }));
    }
    if (node === undefined && issue.code === 'invalid_type') {
      const field = String(path.at(-1));
      const hint = `add ${field}; it has no default`;
      return [{ path, ...startOf(nearestNode(root, path)), message: `the field ${field} is missing`, hint }];
    }
    return [{ path, ...startOf(node ?? nearestNode(root, path)), ...describeIssue(issue, node) }];
  });
}

function keyPlace(node: MapNode | undefined, key: string): Pick<TreeProblem, 'span'> {
  const child = node?.fields.get(key);
  const span = child?.keySpan ?? child?.span;
  return span === undefined ? {} : { span };
}

/** Where a value stands. */
export function startOf(node: SourceNode): Pick<TreeProblem, 'span'> {
  const span = node.span ?? node.keySpan;
  return span === undefined ? {} : { span };
}
