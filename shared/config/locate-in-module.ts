// Where a path of an exported job stands in the text of a TypeScript or JavaScript job file: followed through object and
// list literals and the constants they name. A place that is computed is answered by the closest one that is written.
import { tsPlugin } from '@sveltejs/acorn-typescript';
import {
  type AnyNode,
  type Expression,
  Parser,
  type Program,
  type Property,
  type SpreadElement,
} from 'acorn';
import type { ConfigPath } from './problem.ts';

/** Line and column, counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const TypeScriptParser = Parser.extend(tsPlugin());

/**
 * A function from a path to its place: the name of a field, the begin of a list's item, else what is closest above. It
 * answers undefined where nothing can be told, as for a text that can't be parsed.
 */
export function locatorOf(source: string): (path: ConfigPath) => Place | undefined {
  const program = parse(source);
  const exported = program && exportedExpression(program);
  if (!program || !exported) return () => undefined;
  const constants = constantsOf(program);
  return (path) => placeOf(follow(exported, path, constants));
}

function parse(source: string): Program | undefined {
  try {
    return TypeScriptParser.parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  } catch {
    // Node ran the file, so this is a form that this parser does not know: no places then.
    return undefined;
  }
}

function placeOf(node: AnyNode): Place | undefined {
  return node.loc ? { line: node.loc.start.line, column: node.loc.start.column + 1 } : undefined;
}

/** The default export, or else the constant that is exported as `jobs`. */
function exportedExpression({ body }: Program): Expression | undefined {
  for (const statement of body) {
    if (statement.type !== 'ExportDefaultDeclaration') continue;
    const { declaration } = statement;
    return declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration'
      ? undefined
      : declaration;
  }
  return constantsOf({ body }).get('jobs');
}

/** What the top level's constants are set to, exported ones included. */
function constantsOf({ body }: Pick<Program, 'body'>): Map<string, Expression> {
  const constants = new Map<string, Expression>();
  for (const statement of body) {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type === 'Identifier' && init) constants.set(id.name, init);
    }
  }
  return constants;
}

/** The node that a path leads to, or the last one on the way that is written in the file. */
function follow(from: Expression, path: ConfigPath, constants: ReadonlyMap<string, Expression>): AnyNode {
  let place: AnyNode = from;
  let value: Expression | undefined = from;
  for (const key of path) {
    value = value && written(value, constants);
    const child: AnyNode | undefined = value && childOf(value, key);
    if (child === undefined) break;
    place = child;
    // A short form ({ task }) has its constant as value, so it leads on as the long form does.
    value = child.type === 'Property' ? (child.value as Expression) : (child as Expression);
  }
  return place;
}

/** Without what TypeScript wraps around a value, and with constants replaced by what they are set to. */
function written(expression: Expression, constants: ReadonlyMap<string, Expression>): Expression | undefined {
  const seen = new Set<string>();
  let node: Expression | undefined = expression;
  while (node) {
    if (node.type === 'Identifier') {
      // A constant in terms of itself ends here; it fails when run.
      if (seen.has(node.name)) return undefined;
      seen.add(node.name);
      node = constants.get(node.name);
    } else if (wrappers.has(node.type)) node = (node as unknown as { expression: Expression }).expression;
    else return node;
  }
  return undefined;
}

/** Types of node, beyond those of JavaScript, that change nothing about a value. */
const wrappers: ReadonlySet<string> = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'ParenthesizedExpression',
]);

function childOf(node: Expression, key: string | number): Property | Expression | undefined {
  if (node.type === 'ObjectExpression') return propertyOf(node.properties, String(key));
  if (node.type !== 'ArrayExpression' || typeof key !== 'number') return undefined;
  const before = node.elements.slice(0, key + 1);
  const item = node.elements[key];
  // Behind a spread an item's number says nothing.
  return before.some((element) => element?.type === 'SpreadElement') ? undefined : (item as Expression);
}

/** The last property of that name, unless something behind it may have set it again. */
function propertyOf(properties: readonly (Property | SpreadElement)[], name: string): Property | undefined {
  for (const property of properties.toReversed()) {
    if (property.type === 'SpreadElement' || property.computed) return undefined;
    const { key } = property;
    if (key.type === 'Identifier' && key.name === name) return property;
    if (key.type === 'Literal' && String(key.value) === name) return property;
  }
  return undefined;
}
