// Event patterns as the documentation of EventBridge has them.
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../local/events/pattern.ts';

const event = {
  version: '0',
  source: 'borealis',
  'detail-type': 'Task State Change',
  detail: {
    to: 'LOST',
    from: null,
    instance: 3,
    ratio: 0.5,
    ip: '10.1.2.3',
    ip6: '2001:db8::7',
    path: 'dir/file.v1.txt',
    tags: ['red', 'Blue'],
    ok: true,
    empty: '',
    job: { role: 'web', name: 'shop' },
    rows: [
      { id: 1, state: 'a' },
      { id: 2, state: 'b' },
    ],
  },
};
const matches = (pattern: unknown) => compilePattern(pattern)(event);
const detail = (pattern: Record<string, unknown>) => matches({ detail: pattern });

describe('an event pattern', () => {
  it.each<[string, Record<string, unknown>, boolean]>([
    ['an equal text', { to: ['LOST'] }, true],
    ['one of several texts', { to: ['FAILED', 'LOST'] }, true],
    ['another text', { to: ['FAILED'] }, false],
    ['a text of another case', { to: ['lost'] }, false],
    ['an equal number', { instance: [3] }, true],
    ['a number that is a text here', { instance: ['3'] }, false],
    ['a boolean', { ok: [true] }, true],
    ['null', { from: [null] }, true],
    ['null for an absent field', { absent: [null] }, false],
    ['the empty text', { empty: [''] }, true],
    ['an item of a list', { tags: ['red', 'green'] }, true],
    ['no item of a list', { tags: ['green'] }, false],
    ['a field inside', { job: { role: ['web'] } }, true],
    ['a field inside that differs', { job: { role: ['ops'] } }, false],
    ['a field inside of something plain', { to: { role: ['web'] } }, false],
    ['all fields of one object of a list', { rows: { id: [2], state: ['b'] } }, true],
    ['fields of different objects of a list', { rows: { id: [1], state: ['b'] } }, false],
    ['prefix', { path: [{ prefix: 'dir/' }] }, true],
    ['prefix that is not one', { path: [{ prefix: 'file' }] }, false],
    ['prefix whatever the case', { path: [{ prefix: { 'equals-ignore-case': 'DIR' } }] }, true],
    ['prefix of a number', { instance: [{ prefix: '3' }] }, false],
    ['suffix', { path: [{ suffix: '.txt' }] }, true],
    ['suffix whatever the case', { path: [{ suffix: { 'equals-ignore-case': '.TXT' } }] }, true],
    ['equals-ignore-case', { tags: [{ 'equals-ignore-case': 'BLUE' }] }, true],
    ['wildcard', { path: [{ wildcard: 'dir/*.v1.*' }] }, true],
    ['wildcard, where a dot is a dot', { path: [{ wildcard: 'dir/file?v1*' }] }, false],
    ['wildcard with an escaped star', { path: [{ wildcard: 'dir/\\*' }] }, false],
    ['exists', { to: [{ exists: true }] }, true],
    ['exists, with null in it', { from: [{ exists: true }] }, true],
    ['exists of what is absent', { absent: [{ exists: true }] }, false],
    ['absent', { absent: [{ exists: false }] }, true],
    ['absent below what is absent', { nothing: { here: [{ exists: false }] } }, true],
    ['absent or a value', { absent: ['x', { exists: false }] }, true],
    ['absent of what is there', { to: [{ exists: false }] }, false],
    ['numeric', { instance: [{ numeric: ['>', 2] }] }, true],
    ['numeric in a range', { ratio: [{ numeric: ['>=', 0.5, '<', 1] }] }, true],
    ['numeric out of a range', { instance: [{ numeric: ['>', 0, '<=', 2] }] }, false],
    ['numeric equality', { instance: [{ numeric: ['=', 3] }] }, true],
    ['numeric of a text', { to: [{ numeric: ['>', 0] }] }, false],
    ['anything-but', { to: [{ 'anything-but': 'RUNNING' }] }, true],
    ['anything-but a list', { to: [{ 'anything-but': ['RUNNING', 'LOST'] }] }, false],
    ['anything-but a number', { instance: [{ 'anything-but': 4 }] }, true],
    ['anything-but a prefix', { path: [{ 'anything-but': { prefix: 'dir/' } }] }, false],
    ['anything-but a suffix', { path: [{ 'anything-but': { suffix: '.md' } }] }, true],
    ['anything-but of what is absent', { absent: [{ 'anything-but': 'x' }] }, false],
    ['cidr', { ip: [{ cidr: '10.1.0.0/16' }] }, true],
    ['cidr of another net', { ip: [{ cidr: '10.2.0.0/16' }] }, false],
    ['cidr of version 6', { ip6: [{ cidr: '2001:db8::/32' }] }, true],
    ['cidr of a text', { to: [{ cidr: '10.0.0.0/8' }] }, false],
    ['$or', { $or: [{ to: ['FAILED'] }, { instance: [3] }] }, true],
    ['$or beside a field', { ok: [false], $or: [{ to: ['LOST'] }, { instance: [3] }] }, false],
    ['two fields, of which one differs', { to: ['LOST'], instance: [4] }, false],
  ])('with %s: %j gives %s', (_what, pattern, expected) => {
    expect(detail(pattern)).toBe(expected);
  });

  it('reads the envelope too', () => {
    expect(matches({ source: ['borealis'], 'detail-type': [{ prefix: 'Task' }] })).toBe(true);
    expect(matches({ source: [{ prefix: 'borealis/' }] })).toBe(false);
  });

  it.each<[unknown, string]>([
    [{}, 'needs an object with fields'],
    [{ detail: 'x' }, 'pattern.detail'],
    [{ detail: { to: [] } }, 'pattern.detail.to'],
    [{ detail: { to: [['x']] } }, 'pattern.detail.to[0]'],
    [{ detail: { to: [{ soundsLike: 'x' }] } }, 'soundsLike'],
    [{ detail: { to: [{ constructor: 'x' }] } }, 'constructor'],
    [{ detail: { to: [{ numeric: ['~', 1] }] } }, 'numeric'],
    [{ detail: { to: [{ cidr: 'here' }] } }, 'not a range'],
    [{ detail: { $or: [{ to: ['x'] }] } }, 'two or more'],
    [{ detail: { to: [{ 'anything-but': { cidr: '10.0.0.0/8' } }] } }, 'turn cidr round'],
  ])('%j is refused and says where', (pattern, message) => {
    expect(() => compilePattern(pattern)).toThrow(message);
  });
});
