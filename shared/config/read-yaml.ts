// YAML 1.2 or JSON text to a source tree with places. Anchors, aliases and `<<` merges work; sizes are bounded so that a
// hostile file costs little. Every syntax problem is reported, not only the first.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { illFormedText } from '../lib/well-formed.ts';
import type { ConfigPath } from './problem.ts';
import {
  isForbiddenKey,
  type MapNode,
  maxDepth,
  maxNodes,
  type SourceNode,
  type Span,
  type TreeProblem,
} from './source-tree.ts';

export interface SourceText {
  readonly root?: SourceNode;
  readonly problems: readonly TreeProblem[];
  /** Line and column, counted from 1. */
  readonly placeOf: (offset: number) => { readonly line: number; readonly column: number };
}

/** Reads a whole file. Never throws: what is wrong is in `problems`. */
export function readText(text: string, format: 'yaml' | 'json'): SourceText {
  const lineCounter = new LineCounter();
  const placeOf = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    // The library compares each name with each before it; the reader below does it with a set.
    uniqueKeys: false,
    // JSON escapes and numbers are a subset of the core schema; json additionally refuses bare words.
    schema: format === 'json' ? 'json' : 'core',
  });
  // The parser recurses and reports an exhausted stack as one of its errors, followed by hundreds that mean nothing.
  const exhausted = document.errors.find(({ message }) => /call stack|stack overflow/i.test(message));
  if (exhausted !== undefined) {
    const message = `nested far deeper than the ${maxDepth} levels a job file may have`;
    return {
      problems: [{ path: [], message, span: { start: exhausted.pos[0], end: exhausted.pos[1] } }],
      placeOf,
    };
  }
  const problems: TreeProblem[] = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    span: { start: error.pos[0], end: error.pos[1] },
    message: syntaxMessage(error.message),
    ...syntaxHint(error.code, format),
  }));
  if (format === 'json' && problems.length === 0) problems.push(...strictJson(text));
  if (problems.length > 0 || document.contents === null) return { problems, placeOf };
  const reader = new TreeReader(document);
  const root = reader.read(document.contents, [], {});
  return { problems: reader.problems, placeOf, ...(root === undefined ? {} : { root }) };
}

function syntaxMessage(message: string): string {
  return message.startsWith('Source contains multiple documents')
    ? 'the file holds more than one document (---)'
    : `not readable: ${message}`;
}

function syntaxHint(code: string, format: 'yaml' | 'json'): { hint?: string } {
  if (format === 'json') return { hint: 'the file must be JSON; check quotes, commas and brackets' };
  if (code === 'TAG_RESOLVE_FAILED') return { hint: "text that begins with ! must be quoted: '!value'" };
  if (code === 'DUPLICATE_KEY') return { hint: 'keep one of the two' };
  if (code === 'MULTIPLE_DOCS') return { hint: 'put several jobs in one list under jobs:' };
  if (code === 'TAB_AS_INDENT') return { hint: 'indent with spaces' };
  return { hint: 'check the indentation and put text with : # { } [ ] or a leading quote in quotes' };
}

/** YAML reads more than JSON does; what only YAML reads is refused in a .json file. */
function strictJson(text: string): TreeProblem[] {
  try {
    JSON.parse(text);
    return [];
  } catch {
    const start = jsonErrorAt(text);
    const found = JSON.stringify(text.slice(start, start + 1));
    return [
      {
        path: [],
        span: { start, end: start },
        message:
          start < text.length
            ? `not valid JSON: ${found} is not expected here`
            : 'not valid JSON: it ends too early',
        hint: 'the file must be JSON; name it .yaml to write YAML',
      },
    ];
  }
}

const jsonToken =
  /[ \t\r\n]*("(?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[\da-f]{4})*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])|(?:true|false|null)\b|[{}[\],:])/iuy;

/**
 * Where text that YAML reads stops being JSON. JSON.parse does not always tell; what YAML allows beyond JSON is other
 * tokens (comments, bare words, single quotes) and a comma before a closing bracket.
 */
function jsonErrorAt(text: string): number {
  jsonToken.lastIndex = 0;
  let previous = '';
  let end = 0;
  for (let match = jsonToken.exec(text); match !== null; match = jsonToken.exec(text)) {
    const token = match[1] as string;
    if (previous === ',' && (token === ']' || token === '}')) return jsonToken.lastIndex - 1;
    previous = token;
    end = jsonToken.lastIndex;
  }
  return end + (/^[ \t\r\n]*/.exec(text.slice(end))?.[0].length ?? 0);
}

/** What each alias stands for, in one walk: the library's own look-up walks the whole document for each. */
function aliasTargets(document: Document.Parsed): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, (_key, node) => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
    } else if (isNode(node) && 'anchor' in node && typeof node.anchor === 'string') {
      anchors.set(node.anchor, node);
    }
  });
  return targets;
}

interface KeyPlace {
  readonly keySpan?: Span;
}

class TreeReader {
  readonly problems: TreeProblem[] = [];
  private readonly targets: ReadonlyMap<Alias, Node>;
  private readonly resolving = new Set<Node>();
  private count = 0;

  constructor(document: Document.Parsed) {
    this.targets = aliasTargets(document);
  }

  read(node: unknown, path: ConfigPath, place: KeyPlace): SourceNode | undefined {
    this.count += 1;
    if (this.count > maxNodes) {
      // Said once: everything after it would repeat it.
      if (this.count === maxNodes + 1)
        this.refuse(node, path, `the file holds more than ${maxNodes} values, aliases counted`);
      return undefined;
    }
    if (path.length > maxDepth) return this.refuse(node, path, `nested deeper than ${maxDepth} levels`);
    if (isAlias(node)) return this.readAlias(node, path, place);
    if (isMap(node)) return this.readMap(node, path, place);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.read(item, [...path, index], {}));
      return { kind: 'list', items: items.filter((item) => item !== undefined), ...spanOf(node), ...place };
    }
    if (isScalar(node)) return this.readScalar(node.value, node, path, place);
    return {
      kind: 'scalar',
      value: null,
      ...(place.keySpan === undefined ? {} : { span: place.keySpan }),
      ...place,
    };
  }

  private readScalar(value: unknown, node: Node, path: ConfigPath, place: KeyPlace): SourceNode | undefined {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return this.refuse(node, path, `${value} is not a number a job can use`);
    }
    if (typeof value === 'string' && !value.isWellFormed()) return this.refuse(node, path, illFormedText);
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean'
    ) {
      return { kind: 'scalar', value, ...spanOf(node), ...place };
    }
    return this.refuse(node, path, 'only maps, lists, texts, numbers and booleans can be part of a job');
  }

  private readAlias(alias: Alias, path: ConfigPath, place: KeyPlace): SourceNode | undefined {
    const target = this.targets.get(alias);
    if (target === undefined) return this.refuse(alias, path, `there is no anchor &${alias.source}`);
    if (this.resolving.has(target))
      return this.refuse(alias, path, `anchor &${alias.source} contains itself`);
    this.resolving.add(target);
    const node = this.read(target, path, place);
    this.resolving.delete(target);
    return node;
  }

  private readMap(map: YAMLMap, path: ConfigPath, place: KeyPlace): MapNode {
    const own = new Map<string, SourceNode>();
    const merged = new Map<string, SourceNode>();
    const seen = new Set<string>();
    for (const pair of map.items as Pair[]) {
      const key = this.readKey(pair, path);
      if (key === undefined) continue;
      if (seen.has(key) && key !== '<<') {
        this.refuse(pair.key, [...path, key], `not readable: Map keys must be unique`, 'keep one of the two');
        continue;
      }
      seen.add(key);
      if (key === '<<') {
        for (const [name, node] of this.readMerge(pair.value, path))
          if (!merged.has(name)) merged.set(name, node);
        continue;
      }
      const child = this.read(pair.value, [...path, key], keyPlace(pair.key));
      if (child !== undefined) own.set(key, child);
    }
    return { kind: 'map', fields: new Map([...merged, ...own]), ...spanOf(map), ...place };
  }

  private readKey(pair: Pair, path: ConfigPath): string | undefined {
    const value = isScalar(pair.key) ? pair.key.value : undefined;
    if (typeof value !== 'string' && typeof value !== 'number') {
      return this.refuse(pair.key, path, 'a field name must be a plain word');
    }
    const key = String(value);
    if (!key.isWellFormed()) return this.refuse(pair.key, [...path, key.toWellFormed()], illFormedText);
    return isForbiddenKey(key)
      ? this.refuse(pair.key, [...path, key], `${key} is not allowed as a name`)
      : key;
  }

  /** The fields `<<: *anchor` or `<<: [*a, *b]` brings in; earlier maps win. */
  private readMerge(value: unknown, path: ConfigPath): Iterable<[string, SourceNode]> {
    const sources = isSeq(value) ? value.items : [value];
    const fields = new Map<string, SourceNode>();
    for (const source of sources) {
      const node = this.read(source, path, {});
      if (node === undefined) continue;
      if (node.kind !== 'map') this.refuse(source, path, '<< takes a map or a list of maps');
      else for (const [name, child] of node.fields) if (!fields.has(name)) fields.set(name, child);
    }
    return fields;
  }

  private refuse(node: unknown, path: ConfigPath, message: string, hint?: string): undefined {
    this.problems.push({ path, message, ...(hint !== undefined && { hint }), ...spanOf(node) });
  }
}

function spanOf(node: unknown): { span?: Span } {
  const range = (node as Node | null | undefined)?.range;
  return range ? { span: { start: range[0], end: range[1] } } : {};
}

function keyPlace(key: unknown): KeyPlace {
  const { span } = spanOf(key);
  return span === undefined ? {} : { keySpan: span };
}
