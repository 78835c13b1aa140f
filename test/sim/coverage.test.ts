import { describe, expect, it } from 'vitest';
import { coverageOf, renderCoverage, taskMachine, updateMachine } from './coverage.ts';
import { directed } from './directed/list.ts';
import { Totals } from './report.ts';

describe.each([
  ['tasks', taskMachine],
  ['updates', updateMachine],
])('what is said to be out of reach for %s', (_name, { allowed, unreachable }) => {
  const listed = unreachable.flatMap(({ pairs }) => pairs);

  it('is in the table, once', () => {
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed.filter((pair) => !allowed.includes(pair))).toEqual([]);
  });

  it('is the aim of no directed scenario; everything else is the aim of one', () => {
    const aims = new Set(directed.flatMap(({ reaches = [] }) => reaches));
    expect(listed.filter((pair) => aims.has(pair))).toEqual([]);
    expect(allowed.filter((pair) => !aims.has(pair) && !listed.includes(pair))).toEqual([]);
  });
});

describe('coverage', () => {
  const machine = { allowed: ['A>B', 'B>C', 'C>D'], unreachable: [{ pairs: ['C>D'], why: 'nobody does' }] };

  it('counts what was reached of what can be, and names the rest', () => {
    const coverage = coverageOf(machine, new Set(['A>B']));
    expect(coverage).toMatchObject({ allowed: 3, reachable: 2, reached: 1, missing: ['B>C'], surprises: [] });
    expect(renderCoverage('moves', coverage)).toEqual([
      'moves: 1 of 2 reachable, 1 of the 3 in its table not reachable',
      '  not reached: B>C',
      '  not reachable (nobody does): C>D',
    ]);
  });

  it('is a problem if something is reached that is said to be out of reach', () => {
    expect(coverageOf(machine, new Set(['C>D'])).surprises).toEqual(['C>D']);
    const totals = new Totals();
    totals.pairs.add('RUNNING>FINISHED');
    expect(totals.hasProblems).toBe(false);
    totals.pairs.add('RUNNING>PREEMPTING');
    expect(totals.hasProblems).toBe(true);
  });
});
