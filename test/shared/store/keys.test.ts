// Keys: order and inverses that stored data depends on.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTaskId } from '../../../shared/model/job-key.ts';
import {
  agentKeyOf,
  dueBound,
  dueKeysOf,
  instanceBounds,
  parsePendingSortKey,
  parseTaskKey,
  pendingKeysOf,
  taskKeyOf,
  taskKeyOfId,
} from '../../../shared/store/keys.ts';
import { makeTask, t0 } from '../../contract/fixtures.ts';

const instance = fc.nat(99_999);
const generation = fc.integer({ min: 1, max: 99_999_999 });

describe('task keys', () => {
  it('are what stored rows have', () => {
    const task = { role: 'www-data', environment: 'prod', name: 'hello', instance: 1_251, generation: 3 };
    expect(taskKeyOf(task)).toEqual({ pk: 'TASKS#www-data/prod/hello#5', sk: 'I#001251#00000003' });
    expect(agentKeyOf('agent-1').sk).toBe('A#agent-1');
    expect(taskKeyOfId('www-data~prod~hello~1251~3~abc')).toEqual({ ...taskKeyOf(task), suffix: 'abc' });
    expect(taskKeyOfId('hello')).toBeUndefined();
  });

  it('lead back to the task and sort by instance, then generation', () => {
    fc.assert(
      fc.property(instance, generation, instance, generation, (i1, g1, i2, g2) => {
        const [a, b] = [
          makeTask({ instance: i1, generation: g1 }),
          makeTask({ instance: i2, generation: g2 }),
        ];
        const [ka, kb] = [taskKeyOf(a), taskKeyOf(b)];
        const { suffix: _suffix, ...ref } = parseTaskId(a.taskId) as NonNullable<
          ReturnType<typeof parseTaskId>
        >;
        expect(parseTaskKey(ka.pk, ka.sk)).toEqual(ref);
        expect(ka.sk < kb.sk).toBe(i1 < i2 || (i1 === i2 && g1 < g2));
        const [from, to] = instanceBounds(i2, i2);
        expect(ka.sk >= from && ka.sk <= to).toBe(i1 === i2);
      }),
    );
  });

  it('are not read from keys of other kinds', () => {
    expect(parseTaskKey('ROLE#a', 'JOB#b/c')).toBeUndefined();
    expect(parseTaskKey('TASKS#a/b#0', 'I#000000#00000001')).toBeUndefined();
    expect(parseTaskKey('TASKS#a/b/c#0', 'nonsense')).toBeUndefined();
  });
});

describe('index keys', () => {
  it('sort waiting tasks by priority, highest first, then by age', () => {
    const priority = fc.nat(99_999);
    const createdAt = fc.integer({ min: 0, max: 9_999_999_999_999 });
    fc.assert(
      fc.property(priority, createdAt, priority, createdAt, (p1, c1, p2, c2) => {
        const [a, b] = [makeTask({ priority: p1, createdAt: c1 }), makeTask({ priority: p2, createdAt: c2 })];
        const [ka, kb] = [pendingKeysOf(a).gs, pendingKeysOf(b).gs];
        expect(parsePendingSortKey(ka)).toEqual({ priority: p1, createdAt: c1 });
        if (p1 !== p2 || c1 !== c2) expect(ka < kb).toBe(p1 > p2 || (p1 === p2 && c1 < c2));
      }),
    );
  });

  it('hold due entries up to and including the moment asked for', () => {
    const entry = dueKeysOf(makeTask().taskId, t0).gt;
    expect(entry < dueBound(t0)).toBe(true);
    expect(entry < dueBound(t0 - 1)).toBe(false);
  });
});
