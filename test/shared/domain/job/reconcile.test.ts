import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addInstances,
  desiredInstances,
  killInstances,
  markReconciled,
  newJob,
  restartInstances,
} from '../../../../shared/domain/job/desired.ts';
import { planReconcile, type ReconcilePlan } from '../../../../shared/domain/job/reconcile.ts';
import { applyTransition } from '../../../../shared/domain/task/apply.ts';
import { containsInstance, countInstances } from '../../../../shared/model/instance-ranges.ts';
import { type Job, leastKeptMs } from '../../../../shared/model/job.ts';
import type { InstanceRange } from '../../../../shared/model/job-key.ts';
import { isActive, isTerminal, type Task, type TaskState } from '../../../../shared/model/task.ts';
import { at, countingIds, sampleConfig, sampleTask, sources } from '../task/sample-task.ts';
import { sampleJob, submission } from './sample-job.ts';

const everything: InstanceRange = [0, 99_999];

function plan(job: Job, tasks: readonly Task[], now = 5000, interval = everything): ReconcilePlan {
  return planReconcile({ job, tasks, interval, configs: () => sampleConfig, now, ids: countingIds() });
}

const keyOf = (task: Task) => `${task.instance}#${task.generation}`;
const shape = (tasks: readonly Task[]) => tasks.map((task) => `${keyOf(task)} ${task.state}`).toSorted();

/** Carries out the steps of a plan that `keep` lets through, as the store would. */
function carryOut(
  tasks: readonly Task[],
  { create, transitions }: ReconcilePlan,
  keep = (_step: number) => true,
): Task[] {
  const rows = new Map(tasks.map((task) => [keyOf(task), task]));
  let step = 0;
  for (const { task, to, message } of transitions) {
    if (!keep(step++)) continue;
    const done = applyTransition(task, to, at(6000, { message, expected: task.state }), sources());
    if (done.remove) rows.delete(keyOf(task));
    if (done.next) rows.set(keyOf(task), done.next);
    if (done.successor) rows.set(keyOf(done.successor), done.successor);
  }
  for (const task of create) if (keep(step++) && !rows.has(keyOf(task))) rows.set(keyOf(task), task);
  return [...rows.values()];
}

describe('a new job', () => {
  it('gets one PENDING task of generation 1 per instance, with the config of its range', () => {
    const { create, transitions, waiting } = plan(sampleJob([[0, 1]], [[2, 2]]), []);
    expect(create.map((task) => [keyOf(task), task.state, task.configId, task.spec, task.createdAt])).toEqual(
      [
        ['0#1', 'PENDING', 'c0', 1, 5000],
        ['1#1', 'PENDING', 'c0', 1, 5000],
        ['2#1', 'PENDING', 'c1', 1, 5000],
      ],
    );
    expect([transitions, waiting]).toEqual([[], []]);
  });

  it('is planned interval by interval', () => {
    const job = sampleJob([[0, 99]]);
    const strangers = [sampleTask('RUNNING', { instance: 200, spec: 1 })];
    expect(plan(job, strangers, 1, [10, 12]).create.map(({ instance }) => instance)).toEqual([10, 11, 12]);
    expect(plan(job, strangers, 1, [10, 12]).transitions).toEqual([]);
  });

  it('does not run a batch instance twice that finished between two runs of reconcile', () => {
    const done = sampleTask('FINISHED', { instance: 0, spec: 1 });
    expect(plan(sampleJob([[0, 1]]), [done]).create.map(keyOf)).toEqual(['1#1']);
  });

  it('is made whole although rows of an earlier job of its name outlived that job', () => {
    const createdAt = 90_000_000;
    const job = { ...sampleJob([[0, 2]]), createdAt };
    const outlived = sampleTask('FINISHED', { instance: 0, generation: 4, spec: 7 }, [
      ['FINISHED', createdAt - leastKeptMs],
    ]);
    // Made by a function whose clock was behind that of the one which took the job.
    const own = sampleTask('FINISHED', { instance: 1, spec: 1 }, [['FINISHED', createdAt - 60_000]]);
    expect(plan(job, [outlived, own]).create.map(keyOf)).toEqual(['0#5', '2#1']);
  });

  it('asks for nothing once it is reconciled, even if the history is gone', () => {
    expect(plan(markReconciled(sampleJob([[0, 9]]), 1), [])).toEqual({
      create: [],
      transitions: [],
      waiting: [],
    });
  });

  it('goes on from the highest generation of an instance that ran before', () => {
    const old = markReconciled(sampleJob([[0, 0]]), 1);
    const job = newJob({
      submission: submission([[0, 0]]),
      cluster: 'local',
      user: 'ann',
      now: 1,
      configIds: ['d'],
      previous: { job: old, ended: true },
    });
    const history = [1, 2, 3].map((generation) => sampleTask('FAILED', { instance: 0, generation, spec: 1 }));
    expect(plan(job, history).create).toMatchObject([{ generation: 4, spec: 2, configId: 'd' }]);
  });
});

describe('a kill', () => {
  const killed = killInstances(markReconciled(sampleJob([[0, 9]]), 1), [[0, 7]], 'Killed by ann', 2000);

  it('ends every active task of the instances with its message, and leaves those alone that are ending or ended', () => {
    const states: TaskState[] = [
      'THROTTLED',
      'PENDING',
      'RUNNING',
      'RESTARTING',
      'PARTITIONED',
      'KILLING',
      'FINISHED',
      'LOST',
    ];
    const tasks = states.map((state, instance) => sampleTask(state, { instance, spec: 1 }));
    const { transitions, create } = plan(killed, tasks);
    expect(transitions.map(({ task, to, message }) => [task.state, to, message])).toEqual(
      states.slice(0, 5).map((state) => [state, 'KILLING', 'Killed by ann']),
    );
    expect(create).toEqual([]);
  });

  it('does not touch other instances', () => {
    expect(plan(killed, [sampleTask('RUNNING', { instance: 8, spec: 1 })]).transitions).toEqual([]);
  });

  it('beats creation: what was never created is not created any more', () => {
    const job = killInstances(sampleJob([[0, 2]]), [[1, 1]], 'm', 2000);
    expect(plan(job, []).create.map(keyOf)).toEqual(['0#1', '2#1']);
  });
});

describe('a job killed and created again before the kill was carried out', () => {
  const first = markReconciled(sampleJob([[0, 1]]), 1);
  const again = newJob({
    submission: submission([[0, 1]]),
    cluster: 'local',
    user: 'ann',
    now: 3000,
    configIds: ['new'],
    previous: { job: killInstances(first, 'all', 'Killed by ann', 2000), ended: false },
  });

  it('ends the old task first, says that it waits, and creates the new one after the end', () => {
    const old = sampleTask('RUNNING', { instance: 0, spec: 1, service: true });
    const started = plan(again, [old]);
    expect(started.transitions).toMatchObject([{ to: 'KILLING', message: 'Killed by ann' }]);
    expect([started.waiting, started.create.map(keyOf)]).toEqual([[0], ['1#1']]);
    const ending = carryOut([old], started);
    expect(plan(again, ending)).toEqual({ create: [], transitions: [], waiting: [0] });
    const ended = ending.map((task) =>
      task.state === 'KILLING' ? (applyTransition(task, 'KILLED', at(7000), sources()).next as Task) : task,
    );
    const last = plan(again, ended);
    expect(last.create).toMatchObject([{ instance: 0, generation: 2, configId: 'new', spec: 3 }]);
    expect(plan(again, carryOut(ended, last))).toEqual({ create: [], transitions: [], waiting: [] });
  });
});

describe('an instance whose creation was carried out', () => {
  it('keeps a task of an older spec version, since nothing would replace it', () => {
    const job = markReconciled(addInstances(sampleJob([[0, 0]]), 1, 0, 2000), 2);
    const task = sampleTask('RUNNING', { instance: 1, spec: 1 });
    expect(plan(job, [task])).toEqual({ create: [], transitions: [], waiting: [] });
  });
});

describe('a restart', () => {
  const job = restartInstances(markReconciled(sampleJob([[0, 9]]), 1), [[0, 6]], 'Restarted by ann', 2000);

  it('means tasks on agents in the listed instances that existed when it was asked for', () => {
    const tasks = (
      [
        ['ASSIGNED', 0, 2000],
        ['STARTING', 1, 1000],
        ['RUNNING', 2, 1000],
        ['PARTITIONED', 3, 1000],
        ['PENDING', 4, 1000],
        ['DRAINING', 5, 1000],
        ['RUNNING', 6, 2001],
        ['RUNNING', 7, 1000],
      ] as const
    ).map(([state, instance, createdAt]) => sampleTask(state, { instance, createdAt, spec: 1 }));
    const { transitions } = plan(job, tasks);
    expect(transitions.map(({ task, to, message }) => [task.instance, to, message])).toEqual(
      [0, 1, 2, 3].map((instance) => [instance, 'RESTARTING', 'Restarted by ann']),
    );
  });

  it('is not repeated for the replacement, nor after it was marked reconciled', () => {
    const task = sampleTask('RUNNING', { instance: 2, createdAt: 1000, spec: 1 });
    const restarting = carryOut([task], plan(job, [task]))[0] as Task;
    const { next, successor } = applyTransition(restarting, 'KILLED', at(7000), sources());
    const running = { ...(successor as Task), state: 'RUNNING' as const };
    expect(plan(job, [next as Task, running]).transitions).toEqual([]);
    expect(plan(markReconciled(job, 2), [task]).transitions).toEqual([]);
  });

  it('gives way to a kill of the same instance', () => {
    const both = killInstances(job, [[2, 2]], 'Killed by bob', 2500);
    const task = sampleTask('RUNNING', { instance: 2, createdAt: 1000, spec: 1 });
    expect(plan(both, [task]).transitions).toMatchObject([{ to: 'KILLING', message: 'Killed by bob' }]);
  });
});

describe('reconcile, from any job and any tasks', () => {
  const instances = 12;
  const range = fc
    .tuple(fc.nat(instances - 1), fc.nat(4))
    .map(([low, more]): InstanceRange => [low, Math.min(instances - 1, low + more)]);
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('kill' as const), range }),
    fc.record({
      kind: fc.constant('add' as const),
      template: fc.nat(instances),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ kind: fc.constant('restart' as const), range }),
    fc.record({ kind: fc.constant('again' as const), range }),
  );
  const state = fc.constantFrom<TaskState>(
    'THROTTLED',
    'PENDING',
    'ASSIGNED',
    'STARTING',
    'RUNNING',
    'PARTITIONED',
    'RESTARTING',
    'KILLING',
    'FINISHED',
    'FAILED',
    'KILLED',
  );
  const scene = fc.record({
    edits: fc.array(edit, { minLength: 1, maxLength: 6 }),
    reconciled: fc.nat(3),
    service: fc.boolean(),
    present: fc.array(
      fc.option(
        fc.record({
          state,
          spec: fc.integer({ min: 1, max: 7 }),
          generation: fc.integer({ min: 1, max: 4 }),
          createdAt: fc.integer({ min: 0, max: 4000 }),
        }),
        { nil: undefined },
      ),
      { minLength: instances, maxLength: instances },
    ),
    crash: fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
  });
  type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

  function edited(job: Job, one: Scene['edits'][number]): Job {
    const desired = (instance: number) =>
      job.desired.some(({ instances: [low, high] }) => low <= instance && instance <= high);
    switch (one.kind) {
      case 'kill':
        return killInstances(job, [one.range], 'Killed by ann', 2000);
      case 'add':
        return desired(one.template) ? addInstances(job, one.count, one.template, 2000) : job;
      case 'restart': {
        const [low, high] = one.range;
        for (let i = low; i <= high; i++) if (!desired(i)) return job;
        return restartInstances(job, [one.range], 'Restarted by ann', 3000);
      }
      case 'again': {
        const ended = killInstances(job, 'all', 'Killed by ann', 2000);
        const previous = { job: ended, ended: false };
        return newJob({
          submission: submission([one.range]),
          cluster: 'local',
          user: 'ann',
          now: 2000,
          configIds: ['c9'],
          previous,
        });
      }
    }
  }

  function build({ edits, reconciled, present, service }: Scene): { job: Job; tasks: Task[] } {
    const job = markReconciled(edits.reduce(edited, sampleJob([[0, 5]], [[8, 9]])), reconciled);
    const tasks = present.flatMap((row, instance) =>
      row
        ? [
            sampleTask(row.state, {
              ...row,
              spec: Math.min(row.spec, job.specVersion),
              instance,
              service,
              taskId: `ads~prod~web.server~${instance}~${row.generation}~x`,
            }),
          ]
        : [],
    );
    return { job, tasks };
  }
  const holds = (check: (built: { job: Job; tasks: Task[] }, crash: readonly boolean[]) => void) =>
    fc.assert(
      fc.property(scene, (one) => check(build(one), one.crash)),
      { numRuns: 1000 },
    );

  it('carrying out a plan leaves nothing more to do', () => {
    holds(({ job, tasks }) => {
      const again = plan(job, carryOut(tasks, plan(job, tasks)));
      // A PARTITIONED or PENDING task ends at once, which lets its waiting successor in: one more round, then quiet.
      const third = plan(job, carryOut(carryOut(tasks, plan(job, tasks)), again));
      expect(again.transitions).toEqual([]);
      expect([third.create, third.transitions]).toEqual([[], []]);
    });
  });

  it('a crash anywhere half way, then another run, ends in the same set of tasks', () => {
    holds(({ job, tasks }, crash) => {
      const settle = (rows: Task[]) => {
        const once = carryOut(rows, plan(job, rows));
        return carryOut(once, plan(job, once));
      };
      const half = carryOut(tasks, plan(job, tasks), (step) => crash[step % crash.length] === true);
      expect(shape(settle(half))).toEqual(shape(settle(tasks)));
    });
  });

  it('never creates beside an active task, outside the desired instances, or with a known key', () => {
    holds(({ job, tasks }) => {
      const known = new Set(tasks.map(keyOf));
      const active = new Set(tasks.filter(({ state: one }) => isActive(one)).map(({ instance }) => instance));
      for (const task of plan(job, tasks).create) {
        expect(known.has(keyOf(task)) || active.has(task.instance)).toBe(false);
        const range = job.desired.find(
          ({ instances: [low, high] }) => low <= task.instance && task.instance <= high,
        );
        expect(range).toMatchObject({ configId: task.configId, since: task.spec });
      }
    });
  });

  /** Every end that was asked for is confirmed by its agent. */
  const confirm = (rows: readonly Task[]) =>
    rows.flatMap((task) => {
      if (task.state !== 'KILLING' && task.state !== 'RESTARTING') return [task];
      const { next, successor } = applyTransition(task, 'KILLED', at(7000), sources());
      return [next as Task, ...(successor ? [successor] : [])];
    });

  it('with its kills confirmed, every active task is desired and every newly desired instance has had its task', () => {
    holds(({ job, tasks }) => {
      let rows = tasks;
      for (let round = 0; round < 3; round++) rows = confirm(carryOut(rows, plan(job, rows)));
      expect(plan(job, rows)).toEqual({ create: [], transitions: [], waiting: [] });
      for (const task of rows.filter(({ state: one }) => !isTerminal(one))) {
        expect(containsInstance(desiredInstances(job), task.instance)).toBe(true);
      }
      const had = job.desired.filter(({ since }) => since > job.reconciledVersion);
      for (const { instances: wanted, since } of had) {
        const present = rows.filter(
          ({ instance, spec }) => containsInstance([wanted], instance) && spec >= since,
        );
        expect(new Set(present.map(({ instance }) => instance)).size).toBe(countInstances([wanted]));
      }
    });
  });
});
