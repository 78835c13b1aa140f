// A job file as a tree of values that remember where they stand. YAML and JSON are read from text; the objects of a
// TypeScript file become the same tree without places (locate-in-module.ts finds those).
import { illFormedText } from '../lib/well-formed.ts';
import { type ConfigPath, formatPath } from './problem.ts';

/** Offsets of a value (and of its key) in the text; absent for objects. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

type Scalar = string | number | boolean | null;

interface Placed {
  readonly span?: Span;
  /** Where the field's name stands, for problems about the name itself. */
  readonly keySpan?: Span;
}
export interface MapNode extends Placed {
  readonly kind: 'map';
  readonly fields: ReadonlyMap<string, SourceNode>;
}
interface ListNode extends Placed {
  readonly kind: 'list';
  readonly items: readonly SourceNode[];
}
export interface ScalarNode extends Placed {
  readonly kind: 'scalar';
  readonly value: Scalar;
  /** The value came out of `{{...}}`, so "3" may stand for a number. */
  readonly templated?: boolean;
}
export type SourceNode = MapNode | ListNode | ScalarNode;

/** Deepest nesting of maps and lists in a job file; a real one needs about 8. */
export const maxDepth = 32;
/** Most values in one file, repeated ones (YAML aliases) counted each time. */
export const maxNodes = 200_000;

/** A problem found while building the tree, before paths exist. */
export interface TreeProblem {
  readonly path: ConfigPath;
  readonly span?: Span;
  readonly message: string;
  readonly hint?: string;
}

/** Field names that would reach an object's prototype. */
export function isForbiddenKey(key: string): boolean {
  return key === '__proto__';
}

/** The tree as plain JSON values. */
export function toValue(node: SourceNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toValue);
  return Object.fromEntries(Array.from(node.fields, ([key, child]) => [key, toValue(child)]));
}

/** The child a key leads to. */
export function childOf(node: SourceNode, key: string | number): SourceNode | undefined {
  if (node.kind === 'map') return node.fields.get(String(key));
  return node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined;
}

/** The node at a path, or the closest one above it. */
export function nearestNode(root: SourceNode, path: ConfigPath): SourceNode {
  let node = root;
  for (const key of path) {
    const child = childOf(node, key);
    if (child === undefined) break;
    node = child;
  }
  return node;
}

/** The node exactly at a path. */
export function nodeAt(root: SourceNode, path: ConfigPath): SourceNode | undefined {
  let node: SourceNode | undefined = root;
  for (const key of path) node = node === undefined ? undefined : childOf(node, key);
  return node;
}

/** How a value is called in a message. */
export function describeValue(node: SourceNode | undefined): string {
  if (node === undefined) return 'nothing';
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  if (node.value === null) return 'nothing (null)';
  const shown = JSON.stringify(node.value) ?? String(node.value);
  const short = shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
  return typeof node.value === 'string'
    ? `the text ${short}`
    : `${typeof node.value === 'number' ? 'the number ' : ''}${short}`;
}

class ObjectReader {
  readonly problems: TreeProblem[] = [];
  private readonly above = new Set<object>();
  private count = 0;

  read(value: unknown, path: ConfigPath): SourceNode | undefined {
    this.count += 1;
    if (this.count > maxNodes) return this.refuse(path, `the file holds more than ${maxNodes} values`);
    if (typeof value === 'string' && !value.isWellFormed()) return this.refuse(path, illFormedText);
    if (typeof value === 'string' || typeof value === 'boolean' || value === null)
      return { kind: 'scalar', value };
    if (typeof value === 'number') {
      return Number.isFinite(value)
        ? { kind: 'scalar', value }
        : this.refuse(path, `${value} is not a number`);
    }
    if (typeof value !== 'object') return this.refuse(path, `a ${typeof value} can't be part of a job`);
    if (this.above.has(value)) return this.refuse(path, 'the object contains itself');
    if (path.length > maxDepth) return this.refuse(path, `nested deeper than ${maxDepth} levels`);
    this.above.add(value);
    const node = Array.isArray(value) ? this.readList(value, path) : this.readMap(value, path);
    this.above.delete(value);
    return node;
  }

  private readList(value: readonly unknown[], path: ConfigPath): SourceNode {
    const items = Array.from(value, (item, index) => this.read(item, [...path, index]));
    return { kind: 'list', items: items.filter((item) => item !== undefined) };
  }

  private readMap(value: object, path: ConfigPath): SourceNode | undefined {
    const prototype: unknown = Object.getPrototypeOf(value);
    // Objects of another realm (a test runner's vm) have their own Object.prototype, whose prototype is null.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return this.refuse(path, 'only plain objects, lists, texts, numbers and booleans can be part of a job');
    }
    const fields = new Map<string, SourceNode>();
    for (const [key, inner] of Object.entries(value)) {
      if (isForbiddenKey(key)) this.refuse([...path, key], `${key} is not allowed as a name`);
      else if (!key.isWellFormed()) this.refuse([...path, key.toWellFormed()], illFormedText);
      else if (inner !== undefined) {
        const child = this.read(inner, [...path, key]);
        if (child !== undefined) fields.set(key, child);
      }
    }
    return { kind: 'map', fields };
  }

  private refuse(path: ConfigPath, message: string): undefined {
    this.problems.push({ path, message, hint: `look at ${formatPath(path) || 'the default export'}` });
  }
}

/** The tree of a value exported by a TypeScript or JavaScript job file. Fields set to undefined count as absent. */
export function readObject(value: unknown): { root?: SourceNode; problems: TreeProblem[] } {
  const reader = new ObjectReader();
  const root = reader.read(value, []);
  return { problems: reader.problems, ...(root === undefined ? {} : { root }) };
}
