import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  containsInstance,
  countInstances,
  formatInstances,
  intersectInstances,
  normaliseInstances,
  overlappingInstances,
  parseInstances,
  subtractInstances,
} from '../../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../../shared/model/job-key.ts';

describe('parseInstances', () => {
  it.each<[string, InstanceRange[]]>([
    ['3', [[3, 3]]],
    [
      '0-2,5',
      [
        [0, 2],
        [5, 5],
      ],
    ],
    [
      '5,0-2',
      [
        [0, 2],
        [5, 5],
      ],
    ],
    ['1,1,1', [[1, 1]]],
    ['0-4,3-9,10', [[0, 10]]],
    [
      ' 7 - 8 , 1 ',
      [
        [1, 1],
        [7, 8],
      ],
    ],
    ['99999', [[99_999, 99_999]]],
  ])('reads %j', (text, ranges) => {
    expect(parseInstances(text)).toEqual({ ranges });
  });

  it.each([
    ['', 'not an instance'],
    ['1,', 'not an instance'],
    ['a', 'not an instance'],
    ['-1', 'not an instance'],
    ['1-2-3', 'not an instance'],
    ['1.5', 'not an instance'],
    ['1e3', 'not an instance'],
    ['5-2', 'reversed; write 2-5'],
    ['100000', 'the largest is 99999'],
    ['9999999999', 'not an instance'],
  ])('refuses %j', (text, problem) => {
    const parsed = parseInstances(text);
    expect(parsed.ranges).toBeUndefined();
    expect(parsed.problem).toContain(problem);
  });
});

describe('sets of instances', () => {
  const range = fc.tuple(fc.nat(60), fc.nat(6)).map(([low, more]): InstanceRange => [low, low + more]);
  const ranges = fc.array(range, { maxLength: 10 });
  const list = (some: readonly InstanceRange[]) =>
    some.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => low + i));
  const set = (some: readonly InstanceRange[]) => [...new Set(list(some))].toSorted((a, b) => a - b);

  it('behave like sets of numbers', () => {
    fc.assert(
      fc.property(ranges, ranges, (one, other) => {
        const [left, right] = [set(one), set(other)];
        expect(list(normaliseInstances(one))).toEqual(left);
        expect(countInstances(one)).toBe(left.length);
        expect(list(subtractInstances(one, other))).toEqual(left.filter((i) => !right.includes(i)));
        expect(list(intersectInstances(one, other))).toEqual(left.filter((i) => right.includes(i)));
        for (const i of [0, 7, 30, 66]) expect(containsInstance(one, i)).toBe(left.includes(i));
        const twice = left.filter((i) => list(one).filter((j) => j === i).length > 1);
        expect(list(overlappingInstances(one))).toEqual(twice);
      }),
    );
  });

  it('come back from their text', () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 10 }), (some) => {
        expect(parseInstances(formatInstances(some))).toEqual({ ranges: normaliseInstances(some) });
      }),
    );
  });

  it('do not change the ranges they are given', () => {
    const given: InstanceRange[] = [
      [3, 4],
      [0, 3],
    ];
    normaliseInstances(given);
    expect(given).toEqual([
      [3, 4],
      [0, 3],
    ]);
  });
});
