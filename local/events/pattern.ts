// EventBridge event patterns, for the embedded stack. There is no maintained library of them for Node; the rules are those
// of docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html. A pattern is compiled once, and whatever of
// it is not understood is refused then, never taken for a match or a mismatch.
import { BlockList, isIP } from 'node:net';
import { BorealisError } from '../../shared/lib/errors.ts';

type Test = (value: unknown) => boolean;

/** Whether an event (the whole envelope) matches. */
export type EventPattern = (event: Readonly<Record<string, unknown>>) => boolean;

/** Throws INVALID_CONFIG with the place of what is not understood. */
export function compilePattern(pattern: unknown): EventPattern {
  return compileObject(pattern, 'pattern');
}

function compileObject(pattern: unknown, at: string): Test {
  if (!isObject(pattern) || Object.keys(pattern).length === 0)
    throw refused(at, 'needs an object with fields');
  const tests = Object.entries(pattern).map(([key, inner]): Test => {
    const here = `${at}.${key}`;
    if (key === '$or') return compileOr(inner, here);
    const test = Array.isArray(inner) ? compileValues(inner, here) : compileObject(inner, here);
    return (object) => test(isObject(object) ? object[key] : undefined);
  });
  const all: Test = (object) => tests.every((test) => test(object));
  // In a list of objects one and the same object must match the whole of the inner pattern.
  return (value) => (Array.isArray(value) ? value.some((item) => all(item)) : all(value));
}

function compileOr(alternatives: unknown, at: string): Test {
  if (!Array.isArray(alternatives) || alternatives.length < 2)
    throw refused(at, 'needs a list of two or more');
  const tests = alternatives.map((one, index) => compileObject(one, `${at}[${index}]`));
  return (value) => tests.some((test) => test(value));
}

/** A list of alternatives for one field; the field may itself be a list, of which any item may match. */
function compileValues(alternatives: readonly unknown[], at: string): Test {
  if (alternatives.length === 0) throw refused(at, 'needs at least one value');
  const plain = new Set<unknown>();
  const tests: Test[] = [];
  let absentMatches = false;
  for (const [index, one] of alternatives.entries()) {
    if (!isObject(one)) {
      if (typeof one === 'object' && one !== null) throw refused(`${at}[${index}]`, 'may not be a list');
      plain.add(one);
    } else if (Object.keys(one)[0] === 'exists') {
      if (typeof one.exists !== 'boolean') throw refused(`${at}[${index}]`, 'exists is true or false');
      if (one.exists) tests.push(() => true);
      else absentMatches = true;
    } else {
      tests.push(compileFilter(one, `${at}[${index}]`));
    }
  }
  const matches = (value: unknown): boolean => plain.has(value) || tests.some((test) => test(value));
  return (value) => {
    const leaves = leavesOf(value);
    return leaves.length === 0 ? absentMatches : leaves.some(matches);
  };
}

/** The plain values a field holds: itself, or what is in its list. A field that is an object has none. */
function leavesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  return value === undefined || isObject(value) ? [] : [value];
}

const filters: Readonly<Record<string, (operand: unknown, at: string) => Test>> = {
  prefix: (operand, at) => affix(operand, at, (value, text) => value.startsWith(text)),
  suffix: (operand, at) => affix(operand, at, (value, text) => value.endsWith(text)),
  'equals-ignore-case': (operand, at) => {
    const texts = textsOf(operand, at).map(fold);
    return (value) => typeof value === 'string' && texts.includes(fold(value));
  },
  wildcard: (operand, at) => {
    const expressions = textsOf(operand, at).map(wildcardExpression);
    return (value) => typeof value === 'string' && expressions.some((expression) => expression.test(value));
  },
  numeric: compileNumeric,
  cidr: compileCidr,
  'anything-but': compileAnythingBut,
};

function compileFilter(filter: Readonly<Record<string, unknown>>, at: string): Test {
  const [name, ...more] = Object.keys(filter);
  const compile = name === undefined || !Object.hasOwn(filters, name) ? undefined : filters[name];
  if (!compile || more.length > 0) throw refused(at, `has the filter ${Object.keys(filter).join(', ')}`);
  return compile(filter[name as string], `${at}.${name}`);
}

function affix(operand: unknown, at: string, has: (value: string, text: string) => boolean): Test {
  if (isObject(operand)) {
    const texts = textsOf(operand['equals-ignore-case'], at).map(fold);
    if (Object.keys(operand).length > 1) throw refused(at, 'takes a text or {"equals-ignore-case": text}');
    return (value) => typeof value === 'string' && texts.some((text) => has(fold(value), text));
  }
  const texts = textsOf(operand, at);
  return (value) => typeof value === 'string' && texts.some((text) => has(value, text));
}

/** The value is there and is none of these. */
function compileAnythingBut(operand: unknown, at: string): Test {
  if (isObject(operand)) {
    const [name = ''] = Object.keys(operand);
    if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(name)) {
      throw refused(at, `cannot turn ${name} round`);
    }
    const test = compileFilter(operand, at);
    return (value) => !test(value);
  }
  const values = new Set<unknown>(Array.isArray(operand) ? operand : [operand]);
  if (values.size === 0 || [...values].some((value) => typeof value === 'object')) {
    throw refused(at, 'takes texts, numbers or one filter');
  }
  return (value) => !values.has(value);
}

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '=': (value, bound) => value === bound,
  '>=': (value, bound) => value >= bound,
  '>': (value, bound) => value > bound,
};

function compileNumeric(operand: unknown, at: string): Test {
  const words: readonly unknown[] = Array.isArray(operand) ? operand : [];
  if (words.length !== 2 && words.length !== 4) throw refused(at, 'takes one or two comparisons');
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const compare = comparisons[String(words[index])];
    const bound = words[index + 1];
    if (!compare || typeof bound !== 'number') throw refused(at, 'takes comparisons such as ">", 0, "<=", 5');
    tests.push((value) => compare(value, bound));
  }
  return (value) => typeof value === 'number' && tests.every((test) => test(value));
}

function compileCidr(operand: unknown, at: string): Test {
  const blocks = new BlockList();
  for (const block of textsOf(operand, at)) {
    const [address = '', bits] = block.split('/');
    const family = isIP(address);
    if (family === 0) throw refused(at, `${block} is not a range of addresses`);
    blocks.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), family === 4 ? 'ipv4' : 'ipv6');
  }
  return (value) => {
    const family = typeof value === 'string' ? isIP(value) : 0;
    return family !== 0 && blocks.check(value as string, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** `*` stands for any text; `\*` and `\\` for themselves. */
function wildcardExpression(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\([*\\])|\*|[^\\*]+|\\/g, (part, escaped: string | undefined) => {
    if (part === '*') return '[^]*';
    return (escaped ?? part).replaceAll(/[$()*+.?[\\\]^{|}/-]/g, '\\$&');
  });
  return new RegExp(`^${source}$`);
}

function textsOf(operand: unknown, at: string): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  if (texts.length > 0 && texts.every((text) => typeof text === 'string')) return texts as readonly string[];
  throw refused(at, 'takes a text');
}

function fold(text: string): string {
  return text.toLowerCase();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(at: string, what: string): BorealisError {
  return new BorealisError(
    'INVALID_CONFIG',
    `event ${at}: ${what}; the embedded stack does not know what to make of it`,
  );
}
