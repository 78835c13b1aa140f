import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addInstances,
  desiredCount,
  desiredInstances,
  killInstances,
  markReconciled,
  needsReconcile,
  newJob,
  restartInstances,
} from '../../../../shared/domain/job/desired.ts';
import { bucketOf, countTasks } from '../../../../shared/domain/job/summary.ts';
import { isBorealisError } from '../../../../shared/lib/errors.ts';
import { type Job, jobSchema } from '../../../../shared/model/job.ts';
import type { InstanceRange } from '../../../../shared/model/job-key.ts';
import { taskStates } from '../../../../shared/model/task.ts';
import { jobKey } from '../task/sample-task.ts';
import { sampleJob, submission } from './sample-job.ts';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isBorealisError(error)) return error.code;
    throw error;
  }
  return 'none';
}

describe('newJob', () => {
  it('asks for every instance, sorted, at spec version 1', () => {
    expect(
      sampleJob(
        [[5, 9]],
        [
          [0, 1],
          [2, 4],
        ],
      ),
    ).toEqual({
      ...jobKey,
      cluster: 'local',
      specVersion: 1,
      reconciledVersion: 0,
      desired: [
        { instances: [0, 4], configId: 'c1', since: 1 },
        { instances: [5, 9], configId: 'c0', since: 1 },
      ],
      restarts: [],
      refills: [],
      instanceSpan: 10,
      createdBy: 'ann',
      createdAt: 1000,
      updatedAt: 1000,
    });
    expect(jobSchema.parse(sampleJob([[0, 0]]))).toEqual(sampleJob([[0, 0]]));
  });

  it.each<[string, InstanceRange[][]]>([
    [
      'ranges that overlap within a config',
      [
        [
          [0, 4],
          [4, 5],
        ],
      ],
    ],
    ['ranges that overlap between configs', [[[0, 4]], [[2, 2]]]],
    ['a reversed range', [[[4, 0]]]],
    ['an instance beyond the largest', [[[0, 100_000]]]],
    [
      'more separate ranges than one row can hold',
      [Array.from({ length: 1001 }, (_, i): InstanceRange => [2 * i, 2 * i])],
    ],
  ])('refuses %s', (_name, configs) => {
    expect(codeOf(() => sampleJob(...configs))).toBe('INVALID_REQUEST');
  });

  it('takes the largest job', () => {
    expect(desiredCount(sampleJob([[0, 99_999]]))).toBe(100_000);
  });

  it('refuses another cluster', () => {
    const input = {
      submission: { ...submission([[0, 0]]), cluster: 'west' },
      cluster: 'local',
      user: 'ann',
      now: 1,
      configIds: ['c'],
    };
    expect(codeOf(() => newJob(input))).toBe('INVALID_REQUEST');
    expect(newJob({ ...input, cluster: 'west' }).cluster).toBe('west');
  });

  it('refuses a job that exists, unless it has ended or was killed, and then goes on from its versions', () => {
    const old = addInstances(sampleJob([[0, 2]]), 4, 0, 1500);
    const input = {
      submission: submission([[0, 0]]),
      cluster: 'local',
      user: 'bob',
      now: 2000,
      configIds: ['d'],
    };
    expect(codeOf(() => newJob({ ...input, previous: { job: old, ended: false } }))).toBe('JOB_EXISTS');
    const ended = newJob({ ...input, previous: { job: old, ended: true } });
    expect(ended).toMatchObject({ specVersion: 3, reconciledVersion: 0, instanceSpan: 7, createdBy: 'bob' });
    expect(ended.desired).toEqual([{ instances: [0, 0], configId: 'd', since: 3 }]);
    const killed = killInstances(old, 'all', 'Killed by ann', 1600);
    expect(newJob({ ...input, previous: { job: killed, ended: false } })).toMatchObject({
      specVersion: 4,
      killMessage: 'Killed by ann',
    });
  });
});

describe('killInstances', () => {
  const job = sampleJob([[0, 4]], [[5, 9]]);

  it('takes instances out and leaves the rest as it was', () => {
    const next = killInstances(job, [[3, 6]], 'Killed by ann', 2000);
    expect(next).toEqual({
      ...job,
      specVersion: 2,
      desired: [
        { instances: [0, 2], configId: 'c0', since: 1 },
        { instances: [7, 9], configId: 'c1', since: 1 },
      ],
      killMessage: 'Killed by ann',
      updatedAt: 2000,
    });
  });

  it('takes out all, and keeps the span so that readers still find the history', () => {
    const next = killInstances(job, 'all', 'm', 2000);
    expect([next.desired, next.instanceSpan]).toEqual([[], 10]);
  });

  it('returns the very same job when there is nothing to kill', () => {
    expect(killInstances(job, [[10, 20]], 'm', 2000)).toBe(job);
    const empty = killInstances(job, 'all', 'm', 2000);
    expect(killInstances(empty, 'all', 'm', 3000)).toBe(empty);
  });

  it('refuses to cut a job into more pieces than its row can hold', () => {
    const many = Array.from({ length: 1001 }, (_, i): InstanceRange => [2 * i + 1, 2 * i + 1]);
    expect(codeOf(() => killInstances(sampleJob([[0, 9999]]), many, 'm', 1))).toBe('INVALID_REQUEST');
  });
});

describe('addInstances', () => {
  it('numbers on from the highest and copies the config of the template', () => {
    const next = addInstances(sampleJob([[0, 1]], [[4, 5]]), 3, 1, 2000);
    expect(next.desired.at(-1)).toEqual({ instances: [6, 8], configId: 'c0', since: 2 });
    expect([next.specVersion, next.instanceSpan]).toEqual([2, 9]);
  });

  it.each([
    ['no instances', 0, 0],
    ['half an instance', 1.5, 0],
    ['a template that is not in the job', 1, 7],
    ['more than a job can have', 100_000, 0],
  ])('refuses %s', (_name, count, template) => {
    expect(codeOf(() => addInstances(sampleJob([[0, 1]]), count, template, 2000))).toBe('INVALID_REQUEST');
  });
});

describe('restartInstances', () => {
  it('notes the request with its version and time', () => {
    const next = restartInstances(
      sampleJob([[0, 9]]),
      [
        [4, 5],
        [1, 4],
      ],
      'Restarted by ann',
      2000,
    );
    expect(next.restarts).toEqual([
      { instances: [[1, 5]], requestedAt: 2000, version: 2, message: 'Restarted by ann' },
    ]);
  });

  it('refuses instances that are not in the job, or none', () => {
    expect(codeOf(() => restartInstances(sampleJob([[0, 3]]), [[3, 4]], 'm', 2))).toBe('INVALID_REQUEST');
    expect(codeOf(() => restartInstances(sampleJob([[0, 3]]), [], 'm', 2))).toBe('INVALID_REQUEST');
  });

  it('asks to try later when too many wait, until reconcile has caught up', () => {
    let job = sampleJob([[0, 3]]);
    for (let i = 0; i < 20; i++) job = restartInstances(job, [[0, 0]], 'm', 2);
    expect(codeOf(() => restartInstances(job, [[0, 0]], 'm', 2))).toBe('THROTTLED');
    expect(restartInstances(markReconciled(job, 11), [[0, 0]], 'm', 2).restarts).toHaveLength(11);
  });
});

describe('markReconciled', () => {
  it('notes the version, never an older one or one that does not exist, and drops restarts carried out', () => {
    const job = restartInstances(restartInstances(sampleJob([[0, 3]]), [[0, 0]], 'a', 2), [[1, 1]], 'b', 3);
    const two = markReconciled(job, 2);
    expect([two.reconciledVersion, two.specVersion, two.restarts.map(({ message }) => message)]).toEqual([
      2,
      3,
      ['b'],
    ]);
    expect(needsReconcile(two)).toBe(true);
    expect(markReconciled(two, 1)).toBe(two);
    const three = markReconciled(two, 99);
    expect([three.reconciledVersion, needsReconcile(three)]).toEqual([3, false]);
  });
});

describe('any sequence of edits', () => {
  const range = fc.tuple(fc.nat(40), fc.nat(5)).map(([low, more]): InstanceRange => [low, low + more]);
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('kill' as const), ranges: fc.array(range, { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant('add' as const),
      count: fc.integer({ min: 1, max: 5 }),
      template: fc.nat(40),
    }),
  );

  type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;
  /** The same job as a plain map, instance -> config id. */
  type Wanted = ReadonlyMap<number, string>;

  const numbers = ([low, high]: InstanceRange) => Array.from({ length: high - low + 1 }, (_, i) => low + i);

  function apply(job: Job, one: Edit, configId: string | undefined): Job {
    if (one.kind === 'kill') return killInstances(job, one.ranges, 'm', 2000);
    return configId === undefined ? job : addInstances(job, one.count, one.template, 2000);
  }
  function applyPlainly(wanted: Wanted, one: Edit, configId: string | undefined): Wanted {
    if (one.kind === 'kill') {
      const killed = new Set(one.ranges.flatMap(numbers));
      return new Map([...wanted].filter(([instance]) => !killed.has(instance)));
    }
    if (configId === undefined) return wanted;
    const highest = Math.max(...wanted.keys());
    const added = numbers([highest + 1, highest + one.count]);
    return new Map([...wanted, ...added.map((instance): [number, string] => [instance, configId])]);
  }

  it('keeps ranges sorted and disjoint, agrees with plain sets, and grows the version', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 20 }), (edits) => {
        let job: Job = sampleJob([[0, 9]], [[20, 24]]);
        let wanted: Wanted = new Map([
          ...numbers([0, 9]).map((instance): [number, string] => [instance, 'c0']),
          ...numbers([20, 24]).map((instance): [number, string] => [instance, 'c1']),
        ]);
        for (const one of edits) {
          const configId = one.kind === 'add' ? wanted.get(one.template) : undefined;
          const next = apply(job, one, configId);
          const nextWanted = applyPlainly(wanted, one, configId);
          const changed = nextWanted.size !== wanted.size;
          expect([next.specVersion - job.specVersion, next !== job]).toEqual([changed ? 1 : 0, changed]);
          [job, wanted] = [next, nextWanted];
        }
        const listed = job.desired.flatMap(({ instances, configId }) =>
          numbers(instances).map((instance): [number, string] => [instance, configId]),
        );
        expect(listed).toEqual([...wanted].toSorted(([a], [b]) => a - b));
        expect(desiredCount(job)).toBe(wanted.size);
        for (const [, high] of desiredInstances(job)) expect(high).toBeLessThan(job.instanceSpan);
      }),
    );
  });
});

describe('the counts of a job', () => {
  it('put every state in its bucket', () => {
    const buckets = Map.groupBy(taskStates, bucketOf);
    expect(Object.fromEntries(buckets)).toEqual({
      pending: ['THROTTLED', 'PENDING'],
      active: [
        'ASSIGNED',
        'STARTING',
        'RUNNING',
        'PARTITIONED',
        'PREEMPTING',
        'RESTARTING',
        'DRAINING',
        'KILLING',
      ],
      finished: ['FINISHED', 'KILLED'],
      failed: ['FAILED', 'LOST'],
    });
    expect(countTasks(taskStates.map((state) => ({ state })))).toEqual({
      pending: 2,
      active: 8,
      finished: 2,
      failed: 2,
    });
  });
});
