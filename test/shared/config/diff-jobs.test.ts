import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConfiguredInstances, diffJobs, formatJobDiff } from '../../../shared/config/diff-jobs.ts';
import { parseRanges } from '../../../shared/config/instance-ranges.ts';
import { parseJobObject } from '../../../shared/config/parse-job-file.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';
import {
  countInstances,
  formatInstances,
  normaliseInstances,
  subtractInstances,
} from '../../../shared/model/instance-ranges.ts';
import type { InstanceRange } from '../../../shared/model/job-key.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';

function task(cpu: number, commands: Readonly<Record<string, string>> = { a: 'echo' }): TaskConfig {
  const processes = Object.entries(commands).map(([name, cmdline]) => ({ name, cmdline }));
  const job = {
    role: 'r',
    environment: 'test',
    name: 'n',
    task: { resources: { cpu, ramMb: 1, diskMb: 1 }, processes },
  };
  return parseJobObject(job, { fileName: 'f' }).submissions[0]?.configs[0]?.task as TaskConfig;
}

const one = (from: number, to: number, config: TaskConfig): ConfiguredInstances => ({
  instances: [[from, to]],
  task: config,
});

type Kind = 'added' | 'removed' | 'changed' | 'unchanged';

/** The slow and obvious way: instance by instance; entry i is the config of instance i, -1 for none. */
function byKind(before: readonly number[], after: readonly number[]): Record<Kind, InstanceRange[]> {
  const lists: Record<Kind, InstanceRange[]> = { added: [], removed: [], changed: [], unchanged: [] };
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    const [a, b] = [before[i] ?? -1, after[i] ?? -1];
    if (a === -1 && b === -1) continue;
    lists[a === -1 ? 'added' : b === -1 ? 'removed' : a === b ? 'unchanged' : 'changed'].push([i, i]);
  }
  return lists;
}

describe('diffJobs', () => {
  it('says nothing changes when the same config is written another way', () => {
    const reversed = Object.fromEntries(Object.entries(task(1)).reverse()) as unknown as TaskConfig;
    const diff = diffJobs([one(0, 9, task(1))], [one(0, 4, reversed), one(5, 9, task(1))]);
    expect(diff).toEqual({ added: [], removed: [], changed: [], unchanged: [[0, 9]], changes: [] });
  });

  it('tells added, removed, changed and kept instances apart and says what changed', () => {
    const diff = diffJobs(
      [one(0, 9, task(1)), one(20, 21, task(1))],
      [one(0, 2, task(2)), one(3, 12, task(1)), one(13, 13, task(3))],
    );
    expect(formatJobDiff(diff)).toBe(
      [
        'add 4: instances 10-13',
        'remove 2: instances 20-21',
        'change 3: instances 0-2',
        'keep 7: instances 3-9',
        '',
        'instances 0-2:',
        '- resources.cpuMilli: 1000',
        '+ resources.cpuMilli: 2000',
      ].join('\n'),
    );
  });

  it('names processes instead of counting them', () => {
    const before = task(1, { a: 'one', b: 'two' });
    const after = task(1, { z: 'new', a: 'one', b: 'three' });
    const paths = diffJobs([one(0, 0, before)], [one(0, 0, after)]).changes[0]?.fields.map(
      ({ path }) => path,
    );
    expect(paths).toContain('processes[b].cmdline');
    expect(paths).toContain('processes[z].cmdline');
    expect(paths).not.toContain('processes[a].cmdline');
  });

  it('says so when only the order of processes differs', () => {
    const diff = diffJobs([one(0, 0, task(1, { a: 'x', b: 'y' }))], [one(0, 0, task(1, { b: 'y', a: 'x' }))]);
    expect(diff.changes[0]?.fields).toEqual([{ path: 'processes', before: ['a', 'b'], after: ['b', 'a'] }]);
  });

  it('agrees with comparing instance by instance', () => {
    const configs = [task(1), task(2), task(3)];
    const side = fc.array(fc.constantFrom(-1, 0, 1, 2), { maxLength: 12 });
    const ranges = (list: readonly number[]): ConfiguredInstances[] =>
      list.flatMap((config, i) => (config === -1 ? [] : [one(i, i, configs[config] as TaskConfig)]));
    fc.assert(
      fc.property(side, side, (before, after) => {
        const lists = byKind(before, after);
        const diff = diffJobs(ranges(before), ranges(after));
        for (const kind of ['added', 'removed', 'changed', 'unchanged'] as const) {
          expect(diff[kind]).toEqual(normaliseInstances(lists[kind]));
        }
        expect(normaliseInstances(diff.changes.flatMap(({ instances }) => instances))).toEqual(diff.changed);
        for (const { fields } of diff.changes)
          expect(fields.map(({ path }) => path)).toEqual(['resources.cpuMilli']);
      }),
    );
  });
});

describe('instance ranges', () => {
  const texts: readonly (readonly [string, InstanceRange[]])[] = [
    ['3', [[3, 3]]],
    [
      '0-2,5',
      [
        [0, 2],
        [5, 5],
      ],
    ],
    [
      '5, 0-2 ,3,1',
      [
        [0, 3],
        [5, 5],
      ],
    ],
    ['99999', [[99_999, 99_999]]],
  ];
  it.each(texts)('%s is read', (text, expected) => {
    expect(parseRanges(text)).toEqual(expected);
  });

  it.each(['', 'a', '1-', '-1', '1-2-3', '2-1', '100000', '1,,2', '0x1', '1.5'])(
    '"%s" is refused',
    (text) => {
      try {
        parseRanges(text);
        expect.unreachable();
      } catch (error) {
        expect(isBorealisError(error, 'INVALID_REQUEST')).toBe(true);
      }
    },
  );

  const list = fc.array(
    fc.tuple(fc.nat(60), fc.nat(6)).map(([from, length]): InstanceRange => [from, from + length]),
    { maxLength: 8 },
  );
  const expand = (ranges: readonly InstanceRange[]) =>
    new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));

  it('keep their meaning when normalised, subtracted, printed and read again', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const [left, right] = [normaliseInstances(a), normaliseInstances(b)];
        expect(expand(left)).toEqual(expand(a));
        expect(countInstances(left)).toBe(expand(a).size);
        const removed = expand(b);
        const expected = [...expand(a)].filter((instance) => !removed.has(instance));
        expect(expand(subtractInstances(left, right))).toEqual(new Set(expected));
        if (left.length > 0) expect(parseRanges(formatInstances(left))).toEqual(left);
      }),
    );
  });
});
