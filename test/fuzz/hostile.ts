// Hostile values and mutations from a seed: one seed is one case, so a failing one can be run again by itself.

/** 0 <= x < 1; the same sequence for the same seed (mulberry32). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = (seed * 2_654_435_761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const texts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\n',
  '\r\nx: y',
  '\u007f',
  '\ud800',
  'a\udc00b',
  '\ufffe\uffff',
  '\ufeff',
  '\u202egnp.exe',
  'e\u0301'.repeat(40),
  '😀👩‍👩‍👧‍👦',
  'ß'.repeat(128),
  'İ',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  '..',
  '../../etc/passwd',
  '.',
  '/',
  'a/b/c',
  '~',
  'web~prod~x~0~1~a',
  'web~prod~x~999999999~999999999~zzzzzzzzzzzzzzzz',
  '#',
  'A#x',
  '%',
  '%00',
  '%2e%2e%2f',
  '%zz',
  '%c0%af',
  '%ed%a0%80',
  '{{',
  '{{a}}',
  '{{{{a}}}}',
  '{{borealis.instance}}',
  '{{&a}}',
  `${'{{'.repeat(200)}a${'}}'.repeat(200)}`,
  '$(reboot)',
  '`reboot`',
  "'; DROP TABLE tasks; --",
  '$' + '{jndi:ldap://x}',
  '<script>',
  'NaN',
  'Infinity',
  '-1',
  '1e999',
  '0x10',
  '9007199254740993',
  'null',
  'true',
  'active',
  'latest',
  '2026-02-30T25:61:00Z',
  'x'.repeat(129),
  'x'.repeat(256),
  'x'.repeat(1025),
  'x'.repeat(4097),
  'é'.repeat(40_000),
  'a.'.repeat(500),
  '-'.repeat(255),
];

const numbers: readonly number[] = [
  0,
  -0,
  -1,
  1,
  0.5,
  -0.1,
  1e-320,
  255,
  256,
  1000,
  99_999,
  100_000,
  999_999_999,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  1e20,
  1e39,
  1.7976931348623157e308,
  8_640_000_000_000_001,
];

function nested(depth: number, kind: 'list' | 'map'): Json {
  let value: Json = 0;
  for (let level = 0; level < depth; level++) value = kind === 'list' ? [value] : { a: value };
  return value;
}

export function hostileText(random: Random): string {
  if (random() < 0.75) return pick(random, texts);
  const length = below(random, 40);
  return Array.from({ length }, () => String.fromCharCode(below(random, random() < 0.5 ? 128 : 65_536))).join(
    '',
  );
}

/** A value of any type that is seldom what is expected. */
export function hostileValue(random: Random): Json {
  const kind = below(random, 12);
  if (kind < 4) return hostileText(random);
  if (kind < 7) return pick(random, numbers);
  if (kind === 7) return pick(random, [null, true, false]);
  if (kind === 8) return pick(random, [[], {}, [[]], [null], [{}], ['']] as Json[]);
  if (kind === 9) return nested(pick(random, [3, 30, 900]), pick(random, ['list', 'map']));
  if (kind === 10)
    return Array.from({ length: pick(random, [2, 33, 1001]) }, () => hostileText(random).slice(0, 20));
  const fields = Array.from({ length: pick(random, [1, 5, 200]) }, (_, index): [string, Json] => {
    return [
      random() < 0.3 ? `k${index}` : hostileText(random).slice(0, 300),
      hostileText(random).slice(0, 50),
    ];
  });
  // As JSON.parse makes them: `__proto__` is then a field like others.
  return JSON.parse(
    `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
  ) as Json;
}

type Path = readonly (string | number)[];

function pathsOf(value: Json, path: Path = [], found: Path[] = []): Path[] {
  found.push(path);
  if (found.length > 400) return found;
  if (Array.isArray(value))
    for (const [index, item] of value.entries()) pathsOf(item as Json, [...path, index], found);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) pathsOf(item as Json, [...path, key], found);
  return found;
}

function edit(value: Json, path: Path, change: (found: Json) => Json | undefined): Json | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((item: Json, index) => (index === key ? (edit(item, rest, change) ?? []) : [item]));
  }
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).flatMap(([name, item]): [string, Json][] => {
    if (name !== key) return [[name, item as Json]];
    const next = edit(item as Json, rest, change);
    return next === undefined ? [] : [[name, next]];
  });
  return Object.fromEntries(fields);
}

/** The value with one place replaced, removed, doubled, or given one field or item more. */
export function mutate(random: Random, value: Json): Json {
  const path = pick(random, pathsOf(value));
  const kind = below(random, 10);
  const changed = edit(value, path, (found) => {
    if (kind < 5) return hostileValue(random);
    if (kind === 5) return undefined;
    if (kind === 6) return near(random, found);
    if (Array.isArray(found)) return kind === 7 ? [...found, ...found] : [...found, hostileValue(random)];
    if (typeof found === 'object' && found !== null) {
      const field = `${JSON.stringify(hostileText(random))}:${JSON.stringify(hostileValue(random))}`;
      return JSON.parse(
        `${JSON.stringify(found).slice(0, -1)}${Object.keys(found).length > 0 ? ',' : ''}${field}}`,
      ) as Json;
    }
    return hostileValue(random);
  });
  return changed ?? null;
}

/** The same kind of value, a little or a lot different. */
function near(random: Random, value: Json): Json {
  if (typeof value === 'number')
    return pick(random, [value + 1, value - 1, -value, value * 1e6, value + 0.5]);
  if (typeof value === 'string') {
    const at = below(random, value.length + 1);
    return value.slice(0, at) + hostileText(random) + value.slice(at);
  }
  return typeof value === 'boolean' ? !value : value;
}

/** Text with bytes lost, doubled, swapped or put in, cut short, or a field said twice. */
export function corrupt(random: Random, text: string): string {
  const at = below(random, text.length + 1);
  switch (below(random, 8)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + hostileText(random) + text.slice(at);
    case 3:
      return text.slice(0, at) + String.fromCharCode(below(random, 256)) + text.slice(at + 1);
    case 4:
      return text + text;
    case 5:
      return text.replace('{', `{${JSON.stringify(hostileText(random))}:1,`);
    case 6:
      return text.replace(/"(\w+)":/, '"$1":1,"$1":');
    default:
      return text.replace(
        /:(\d+)/,
        pick(random, [':1e999', ':-1e999', ':01', ':0x1', ':NaN', ':1E400', ':.5']),
      );
  }
}
