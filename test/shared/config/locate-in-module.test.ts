// Places of values in the text of a job file that is a program.
import { describe, expect, it } from 'vitest';
import { locatorOf } from '../../../shared/config/locate-in-module.ts';
import type { ConfigPath } from '../../../shared/config/problem.ts';

/** `^` stands before the place that is expected; absent = nothing is expected to be found. */
const table: readonly (readonly [string, string, ConfigPath])[] = [
  ['a field', 'export default { ^name: 1 };', ['name']],
  ['a quoted field', "export default { ^'name': 1 };", ['name']],
  ['a field of a field', 'export default { task: {\n  a: 1,\n  ^b: 2 } };', ['task', 'b']],
  ['an item of a list', 'export default [{ a: 1 }, ^{ a: 2 }];', [1]],
  ['a field of an item', 'export default [{ a: 1 }, { ^a: 2 }];', [1, 'a']],
  ['the last of two fields of one name', 'export default { a: 1, ^a: 2 };', ['a']],
  ['a field of a constant', 'const task = { ^a: 1 };\nexport default { task: task };', ['task', 'a']],
  ['a field of a constant in short form', 'const task = { ^a: 1 };\nexport default { task };', ['task', 'a']],
  ['a constant that is the export', 'const job = { ^a: 1 };\nexport default job;', ['a']],
  ['an export by name', 'export const jobs = [{ ^a: 1 }];', [0, 'a']],
  ['what has a type', 'type T = { a: number };\nconst job: T = { ^a: 1 };\nexport default job;', ['a']],
  ['what is cast', 'export default { task: { ^a: 1 } as const } satisfies object;', ['task', 'a']],
  ['the closest above a missing field', 'export default { ^task: { a: 1 } };', ['task', 'b']],
  ['the closest above what is computed', 'export default { ^task: make() };', ['task', 'a']],
  [
    'the closest above what a spread may have set',
    'export default { ^task: { a: 1, ...more } };',
    ['task', 'a'],
  ],
  ['a field behind a spread', 'export default { task: { ...more, ^a: 1 } };', ['task', 'a']],
  ['the list of an item behind a spread', 'export default { ^list: [...more, 1] };', ['list', 1]],
  ['the closest above a computed name', 'export default { ^task: { [a]: 1 } };', ['task', 'a']],
  ['the export when nothing of it is written', 'export default ^make();', ['task']],
  ['what stands behind letters of two units', 'export default { a: "\u{1F680}", ^b: 1 };', ['b']],
  ['nothing for a function', 'export default function make() {}', ['a']],
  ['nothing without an export', 'const a = 1;', ['a']],
  ['nothing for what is no program', 'export default {', ['a']],
  ['the export for a constant in terms of itself', 'const a = a;\nexport default ^a;', ['b']],
];

describe('the place of a value in a module', () => {
  it.each(table)('is told for %s', (_name, marked, path) => {
    const at = marked.indexOf('^');
    const before = marked.slice(0, at).split('\n');
    const expected =
      at === -1 ? undefined : { line: before.length, column: (before.at(-1) ?? '').length + 1 };
    expect(locatorOf(marked.replace('^', ''))(path)).toEqual(expected);
  });
});
