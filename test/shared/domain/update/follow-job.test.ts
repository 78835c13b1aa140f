import { describe, expect, it } from 'vitest';
import {
  addInstances,
  killInstances,
  newJob,
  restartInstances,
} from '../../../../shared/domain/job/desired.ts';
import { planReconcile } from '../../../../shared/domain/job/reconcile.ts';
import {
  followUpdate,
  jobUnderUpdate,
  sparedInstances,
} from '../../../../shared/domain/update/follow-job.ts';
import { moveTo } from '../../../../shared/domain/update/record.ts';
import type { Job } from '../../../../shared/model/job.ts';
import type { Task } from '../../../../shared/model/task.ts';
import type { UpdateRecord } from '../../../../shared/model/update.ts';
import { makeJob, makeTask, makeUpdate, step, t0 } from '../../../contract/fixtures.ts';
import { sampleConfig } from '../task/sample-task.ts';

const [old, wanted] = ['0123456789abcdef', 'fedcba9876543210'];

function underUpdate(over: Partial<UpdateRecord> = {}) {
  const job = makeJob({
    reconciledVersion: 1,
    desired: [{ instances: [0, 9], configId: old, since: 1 }],
    instanceSpan: 10,
  });
  const instructions = {
    initial: [{ configId: old, instances: [[2, 5] as [number, number], [8, 9] as [number, number]] }],
    desired: [{ configId: wanted, instances: [[2, 5] as [number, number], [10, 11] as [number, number]] }],
  };
  const update = makeUpdate(job, { ...instructions, ...over });
  return { update, job: jobUnderUpdate({ job, update, cluster: 'local', now: t0 }) };
}

function at(update: UpdateRecord, visited: number, revisited = 0): UpdateRecord {
  return { ...update, progress: { ...update.progress, visited, revisited } };
}

function spoken({ desired }: Job): string[] {
  return desired.map(
    ({ instances: [low, high], configId }) => `${low}-${high} ${configId === old ? 'old' : 'new'}`,
  );
}

describe('a job that an update starts on', () => {
  it('names the update and needs no reconcile for it', () => {
    const { job, update } = underUpdate();
    expect(job).toMatchObject({
      updateId: update.updateId,
      specVersion: 2,
      reconciledVersion: 2,
      instanceSpan: 12,
    });
    expect(spoken(job)).toEqual(['0-9 old']);
  });

  it.each<[string, (job: Job) => unknown]>([
    ['kill', (job) => killInstances(job, 'all', 'bye', t0)],
    ['restart', (job) => restartInstances(job, [[0, 0]], 'again', t0)],
    ['add', (job) => addInstances(job, 1, 0, t0)],
    [
      'create',
      (job) => {
        const submission = { ...job, configs: [] };
        return newJob({
          submission,
          cluster: 'local',
          user: 'x',
          now: t0,
          configIds: [],
          previous: { job, ended: true },
        });
      },
    ],
    ['update', (job) => jobUnderUpdate({ job, update: makeUpdate(job), cluster: 'local', now: t0 })],
  ])('is closed to others: %s is refused with the id of the update', (_what, change) => {
    const { job, update } = underUpdate();
    expect(() => change(job)).toThrow(
      expect.objectContaining({ code: 'CONFLICT', details: { updateId: update.updateId } }),
    );
  });

  it('must have carried out its last change', () => {
    const job = makeJob({ specVersion: 2, reconciledVersion: 1 });
    expect(() => jobUnderUpdate({ job, update: makeUpdate(job), cluster: 'local', now: t0 })).toThrow(
      expect.objectContaining({ code: 'CONFLICT', message: expect.stringContaining('Try again') }),
    );
  });

  it('must fit its row at the end', () => {
    const job = makeJob({
      reconciledVersion: 1,
      desired: [{ instances: [0, 4000], configId: old, since: 1 }],
    });
    const every = Array.from({ length: 600 }, (_, i): [number, number] => [2 * i, 2 * i]);
    const update = makeUpdate(job, {
      initial: [{ configId: old, instances: every }],
      desired: [{ configId: wanted, instances: every }],
    });
    expect(() => jobUnderUpdate({ job, update, cluster: 'local', now: t0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });
});

describe('a job that follows its update', () => {
  // The order: 10, 11 created; 2 to 5 replaced; 8, 9 removed.
  it.each([
    [0, 0, ['0-9 old']],
    [1, 0, ['0-9 old', '10-10 new']],
    [4, 0, ['0-1 old', '2-3 new', '4-9 old', '10-11 new']],
    [8, 0, ['0-1 old', '2-5 new', '6-7 old', '10-11 new']],
    [4, 1, ['0-1 old', '2-2 new', '3-9 old', '10-11 new']],
    [4, 4, ['0-9 old']],
  ])('desires what the progress says: %i visited, %i revisited', (visited, revisited, desired) => {
    const { job, update } = underUpdate();
    // By way of any other state.
    const elsewhere = followUpdate(job, at(update, 7), t0);
    const followed = followUpdate(elsewhere, at(update, visited, revisited), t0);
    expect(spoken({ ...followed, desired: merged(followed) })).toEqual(desired);
    expect(followed.reconciledVersion).toBe(followed.specVersion);
    expect(followed.updateId).toBe(update.updateId);
  });

  function merged({ desired }: Job): Job['desired'] {
    const all: Job['desired'] = [];
    for (const range of desired) {
      const last = all.at(-1);
      if (last && last.configId === range.configId && last.instances[1] + 1 === range.instances[0]) {
        all[all.length - 1] = { ...last, instances: [last.instances[0], range.instances[1]] };
      } else all.push(range);
    }
    return all;
  }

  it('is the same object while nothing changes, and when another update has it', () => {
    const { job, update } = underUpdate();
    const followed = followUpdate(job, at(update, 3), t0);
    expect(followUpdate(followed, at(update, 3), t0 + 1)).toBe(followed);
    const other = { ...followed, updateId: 'another' };
    expect(followUpdate(other, moveTo(at(update, 4), 'ABORTED', { now: t0 }), t0)).toBe(other);
  });

  it('lets the job go at the end', () => {
    const { job, update } = underUpdate();
    const done = followUpdate(job, moveTo(at(update, 8), 'ROLLED_FORWARD', { now: t0 }), t0);
    expect(done.updateId).toBeUndefined();
    expect(done.refills).toEqual([]);
    expect(done.reconciledVersion).toBe(done.specVersion);
    expect(killInstances(done, 'all', 'bye', t0).desired).toEqual([]);
  });

  it('wants of an instance what it runs if its turn had come and it was spared until the update was given up', () => {
    const { job, update } = underUpdate();
    const working = [{ since: t0, instances: [[2, 5] as [number, number]] }];
    const progress = { visited: 6, revisited: 0, working, taken: [[3, 3] as [number, number]], failed: [] };
    const aborted = moveTo({ ...update, progress }, 'ABORTED', { now: t0 });
    const runs = (instance: number, state: Task['state'], configId: string) => {
      return { instance, tasks: [step(makeTask({ ...job, instance, configId }), state)] };
    };
    // 2 waits for the budget, 3 is about to be ended, 4 is being ended, 5 is new already; the turn of 8 is yet to come.
    const views = [
      runs(2, 'RUNNING', old),
      runs(3, 'RUNNING', old),
      runs(4, 'KILLING', old),
      runs(5, 'STARTING', wanted),
      runs(8, 'RUNNING', old),
    ];
    const spared = sparedInstances(aborted, views);
    expect(spared).toEqual([
      { configId: old, instances: [[2, 2]] },
      { configId: wanted, instances: [[5, 5]] },
    ]);
    const under = followUpdate(job, { ...update, progress }, t0);
    const left = followUpdate(under, aborted, t0, spared);
    expect(spoken(left)).toEqual(['0-2 old', '3-5 new', '6-9 old', '10-11 new']);
    expect(left.refills).toEqual([{ instances: [[3, 4]], version: left.specVersion }]);
  });

  it('asks reconcile to fill the holes an update leaves that is given up', () => {
    const { job, update } = underUpdate();
    const progress = {
      visited: 4,
      revisited: 0,
      working: [{ since: t0, instances: [[2, 3] as [number, number]] }],
    };
    const held = { ...update, progress: { ...progress, taken: [[3, 3] as [number, number]], failed: [] } };
    const aborted = followUpdate(job, moveTo(held, 'ABORTED', { now: t0 }), t0);
    expect(aborted.refills).toEqual([{ instances: [[2, 3]], version: aborted.specVersion }]);
    expect(aborted.reconciledVersion).toBeLessThan(aborted.specVersion);

    const { role, environment, name } = aborted;
    const task = (instance: number, configId: string) =>
      makeTask({ role, environment, name, instance, configId });
    const running = step(step(step(task(4, old), 'ASSIGNED'), 'STARTING'), 'RUNNING');
    const killed = step(step(step(task(2, old), 'ASSIGNED'), 'KILLING'), 'KILLED');
    const ending = step(step(task(3, old), 'ASSIGNED'), 'KILLING');
    const input = {
      job: aborted,
      interval: [0, 99] as [number, number],
      configs: () => sampleConfig,
      now: t0,
      ids: () => 'abcdefgh',
    };
    const first = planReconcile({ ...input, tasks: [running, killed, ending] });
    expect(
      first.create.map(({ instance, generation, configId }) => [instance, generation, configId]),
    ).toEqual([[2, 2, wanted]]);
    expect(first.transitions).toEqual([]);
    expect(first.waiting).toEqual([3]);
    const second = planReconcile({
      ...input,
      tasks: [running, killed, ...first.create, step(ending, 'KILLED')],
    });
    expect(second.create.map(({ instance }) => instance)).toEqual([3]);
    const third = planReconcile({ ...input, tasks: [running, ...first.create, ...second.create] });
    expect([third.create, third.transitions, third.waiting]).toEqual([[], [], []]);
  });
});
