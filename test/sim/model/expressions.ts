// DynamoDB's expression language: conditions, key conditions, filters and updates, compiled once per text.
import { type Item, isEqual, type Value } from './values.ts';

export interface Scope {
  readonly item: Item;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, Value>>;
}
export type Test = (scope: Scope) => boolean;
type Read = (scope: Scope) => Value | undefined;
/** A resolved document path: attribute, then list positions or member names. */
type Path = (scope: Scope) => readonly (string | number)[];

const tokenPattern = /\s*(#\w+|:\w+|[A-Za-z_]\w*|\d+|<>|<=|>=|[=<>(),.[\]+-])/y;

class Parser {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    tokenPattern.lastIndex = 0;
    while (tokenPattern.lastIndex < text.trimEnd().length) {
      const from = tokenPattern.lastIndex;
      const match = tokenPattern.exec(text);
      if (match?.[1] === undefined) throw new Error(`cannot read ${JSON.stringify(text.slice(from))}`);
      this.#tokens.push(match[1]);
    }
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }
  peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? '';
  }
  next(): string {
    return this.#tokens[this.#at++] ?? '';
  }
  /** Takes the token if it is this one; keywords in any case. */
  take(token: string): boolean {
    if (this.peek().toUpperCase() !== token) return false;
    this.#at++;
    return true;
  }
  expect(token: string): void {
    if (!this.take(token)) throw new Error(`expected ${token} at ${this.peek()} of ${this.#text}`);
  }

  condition(): Test {
    let left = this.conjunction();
    while (this.take('OR')) {
      const [a, b] = [left, this.conjunction()];
      left = (scope) => a(scope) || b(scope);
    }
    return left;
  }
  conjunction(): Test {
    let left = this.negation();
    while (this.take('AND')) {
      const [a, b] = [left, this.negation()];
      left = (scope) => a(scope) && b(scope);
    }
    return left;
  }
  negation(): Test {
    if (this.take('NOT')) {
      const inner = this.negation();
      return (scope) => !inner(scope);
    }
    if (this.take('(')) {
      const inner = this.condition();
      this.expect(')');
      return inner;
    }
    return this.predicate();
  }
  predicate(): Test {
    const name = this.peek().toLowerCase();
    if (this.peek(1) === '(' && name in predicates) {
      this.next();
      const args = this.arguments();
      return (scope) => (predicates[name] as Predicate)(args.map((read) => read(scope)));
    }
    const left = this.operand();
    if (this.take('BETWEEN')) {
      const low = this.operand();
      this.expect('AND');
      const high = this.operand();
      return (scope) => compare('>=', left(scope), low(scope)) && compare('<=', left(scope), high(scope));
    }
    if (this.take('IN')) {
      const members = this.arguments();
      return (scope) => members.some((read) => isEqual(left(scope), read(scope)));
    }
    const operator = this.next();
    const right = this.operand();
    return (scope) => compare(operator, left(scope), right(scope));
  }
  arguments(): Read[] {
    this.expect('(');
    const args = [this.operand()];
    while (this.take(',')) args.push(this.operand());
    this.expect(')');
    return args;
  }
  operand(): Read {
    const name = this.peek().toLowerCase();
    if (name.startsWith(':')) {
      const value = this.next();
      return ({ values }) => {
        if (!(value in values)) throw new Error(`no value ${value} for ${this.#text}`);
        return values[value];
      };
    }
    if (this.peek(1) === '(' && name in functions) {
      this.next();
      const args = this.arguments();
      return (scope) =>
        (functions[name] as (args: (Value | undefined)[]) => Value)(args.map((r) => r(scope)));
    }
    const path = this.path();
    return (scope) => valueAt(scope.item, path(scope));
  }
  path(): Path {
    const first = this.next();
    const rest: (string | number)[] = [];
    for (;;) {
      if (this.take('[')) {
        rest.push(Number(this.next()));
        this.expect(']');
      } else if (this.take('.')) rest.push(this.next());
      else break;
    }
    const named = (name: string, { names }: Scope): string => {
      if (!name.startsWith('#')) return name;
      const found = names[name];
      if (found === undefined) throw new Error(`no name ${name} for ${this.#text}`);
      return found;
    };
    return (scope) => [
      named(first, scope),
      ...rest.map((part) => (typeof part === 'string' ? named(part, scope) : part)),
    ];
  }
}

type Predicate = (args: (Value | undefined)[]) => boolean;
const predicates: Readonly<Record<string, Predicate>> = {
  attribute_exists: ([value]) => value !== undefined,
  attribute_not_exists: ([value]) => value === undefined,
  begins_with: ([text, start]) => typeof text === 'string' && text.startsWith(start as string),
  contains: ([whole, part]) => {
    if (whole instanceof Set) return whole.has(part as string);
    if (Array.isArray(whole)) return (whole as Value[]).some((one) => isEqual(one, part));
    return typeof whole === 'string' && typeof part === 'string' && whole.includes(part);
  },
};
const functions: Readonly<Record<string, (args: (Value | undefined)[]) => Value>> = {
  size: ([value]) => {
    if (typeof value === 'string' || Array.isArray(value)) return value.length;
    if (value instanceof Set) return value.size;
    return Number.NaN;
  },
  list_append: ([a, b]) => {
    if (!Array.isArray(a) || !Array.isArray(b)) throw new Error('list_append needs two lists');
    return [...(a as Value[]), ...(b as Value[])];
  },
  if_not_exists: ([stored, otherwise]) => (stored ?? otherwise) as Value,
};

function compare(operator: string, a: Value | undefined, b: Value | undefined): boolean {
  if (operator === '=') return a !== undefined && isEqual(a, b);
  if (operator === '<>') return !isEqual(a, b);
  const comparable =
    (typeof a === 'string' && typeof b === 'string') || (typeof a === 'number' && typeof b === 'number');
  if (!comparable) return false;
  const [x, y] = [a as string, b as string];
  if (operator === '<') return x < y;
  if (operator === '<=') return x <= y;
  if (operator === '>') return x > y;
  if (operator === '>=') return x >= y;
  throw new Error(`unknown operator ${operator}`);
}

function valueAt(item: Item, [first, ...rest]: readonly (string | number)[]): Value | undefined {
  let value: Value | undefined = item[first as string];
  for (const part of rest) {
    if (value === undefined || value === null || typeof value !== 'object') return undefined;
    value = (value as unknown as Readonly<Record<string | number, Value>>)[part];
  }
  return value;
}

function cached<T>(compile: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      if (known.size > 5_000) known.clear();
      found = compile(text);
      known.set(text, found);
    }
    return found;
  };
}

export const compileCondition: (text: string) => Test = cached((text) => {
  const parser = new Parser(text);
  const test = parser.condition();
  if (!parser.done) throw new Error(`cannot read ${parser.peek()} in ${text}`);
  return test;
});

type Change = (scope: Scope, next: Record<string, Value>) => void;

/** The item as the update leaves it; every operand sees the item as it was. */
export function applyUpdate(text: string, scope: Scope): Item {
  const next: Record<string, Value> = { ...scope.item };
  for (const change of compileUpdate(text)) change(scope, next);
  return next;
}

const compileUpdate = cached((text: string): Change[] => {
  const parser = new Parser(text);
  const changes: Change[] = [];
  while (!parser.done) {
    const clause = parser.next().toUpperCase();
    do changes.push(clauseOf(clause, parser));
    while (parser.take(','));
  }
  return changes;
});

function clauseOf(clause: string, parser: Parser): Change {
  const path = parser.path();
  if (clause === 'REMOVE') return (scope, next) => removeAt(next, path(scope));
  if (clause === 'SET') {
    parser.expect('=');
    const value = sum(parser);
    return (scope, next) => setAt(next, path(scope), value(scope));
  }
  const operand = parser.operand();
  if (clause === 'DELETE') {
    return (scope, next) => {
      const [name] = path(scope) as [string];
      const stored = scope.item[name];
      if (stored === undefined) return;
      if (!(stored instanceof Set)) throw new Error('DELETE needs a set');
      const taken = operand(scope) as ReadonlySet<string>;
      const left = new Set([...(stored as ReadonlySet<string>)].filter((one) => !taken.has(one)));
      if (left.size > 0) next[name] = left;
      else delete next[name];
    };
  }
  if (clause === 'ADD') {
    return (scope, next) => {
      const [name] = path(scope) as [string];
      const stored = scope.item[name];
      const added = operand(scope);
      if (typeof added === 'number') next[name] = ((stored as number | undefined) ?? 0) + added;
      else if (added instanceof Set)
        next[name] = new Set([...((stored as ReadonlySet<string>) ?? []), ...added]);
      else throw new Error('ADD needs a number or a set');
    };
  }
  throw new Error(`unknown clause ${clause}`);
}

function sum(parser: Parser): Read {
  const first = parser.operand();
  const sign = parser.take('+') ? 1 : parser.take('-') ? -1 : 0;
  if (sign === 0) return first;
  const second = parser.operand();
  return (scope) => {
    const [a, b] = [first(scope), second(scope)];
    if (typeof a !== 'number' || typeof b !== 'number') throw new Error('arithmetic needs two numbers');
    return a + sign * b;
  };
}

function setAt(
  next: Record<string, Value>,
  [name, position, ...deeper]: readonly (string | number)[],
  value: Value | undefined,
) {
  if (value === undefined) throw new Error(`nothing to set ${String(name)} to`);
  if (position === undefined) {
    next[name as string] = value;
    return;
  }
  const list = next[name as string];
  if (!Array.isArray(list) || typeof position !== 'number' || deeper.length > 0)
    throw new Error('unsupported path');
  const copy: Value[] = [...(list as Value[])];
  copy[Math.min(position, copy.length)] = value;
  next[name as string] = copy;
}

function removeAt(next: Record<string, Value>, [name, ...deeper]: readonly (string | number)[]): void {
  if (deeper.length > 0) throw new Error('unsupported path');
  delete next[name as string];
}
