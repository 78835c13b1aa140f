// When a job counts as ended, and what asking costs.
import { beforeEach, describe, expect, it } from 'vitest';
import { createJobEnds, type JobEnds } from '../../../functions/fanout/job-ends.ts';
import { eventDetailSchemas } from '../../../shared/model/events.ts';
import type { Job } from '../../../shared/model/job.ts';
import type { Task } from '../../../shared/model/task.ts';
import { makeJob, makeTask, step, t0 } from '../../contract/fixtures.ts';

type State = ReturnType<typeof makeTask>['state'];

let job: Job;
let tasks: ReturnType<typeof makeTask>[];
let lists: (readonly [number, number])[];
let ends: JobEnds;
let expired: [name: string, at: number][];

beforeEach(() => {
  job = makeJob({ specVersion: 2, reconciledVersion: 2 });
  tasks = [];
  lists = [];
  expired = [];
  ends = createJobEnds({
    expireJob: async ({ name }, at) => {
      expired.push([name, at]);
      return { kind: 'committed' };
    },
    getJob: async ({ name }) => (name === job.name ? job : undefined),
    getTasks: async (ids) => tasks.filter(({ taskId }) => ids.includes(taskId)),
    listTasks: async (_key, [low, high]) => {
      lists.push([low, high]);
      return tasks.filter(({ instance }) => instance >= low && instance <= high);
    },
  });
});

function add(instance: number, state: State, generation = 1): void {
  tasks.push(step(makeTask({ name: job.name, instance, generation, service: false }), state));
}

describe('a job has ended', () => {
  it.each<[string, readonly (readonly [number, State, number?])[], string]>([
    [
      'all instances finished',
      [
        [0, 'FINISHED'],
        [1, 'FINISHED'],
      ],
      'succeeded',
    ],
    [
      'one failed',
      [
        [0, 'FINISHED'],
        [1, 'FAILED'],
      ],
      'failed',
    ],
    [
      'one was lost',
      [
        [0, 'KILLED'],
        [1, 'LOST'],
      ],
      'failed',
    ],
    [
      'one was killed',
      [
        [0, 'FINISHED'],
        [1, 'KILLED'],
      ],
      'killed',
    ],
    [
      'a retry went well',
      [
        [0, 'FAILED'],
        [0, 'FINISHED', 2],
        [1, 'FINISHED'],
      ],
      'succeeded',
    ],
  ])('when %s: %j is %s', async (_what, given, outcome) => {
    for (const [instance, state, generation] of given) add(instance, state, generation);
    const detail = await ends.check(job);
    expect(detail).toMatchObject({ outcome, specVersion: 2, at: new Date(t0 + 1000).toISOString() });
    expect(() => eventDetailSchemas['Job Ended'].parse(detail)).not.toThrow();
  });

  it('as killed when nothing is desired and no task ever had an agent', async () => {
    job = { ...job, desired: [] };
    expect(await ends.check(job)).toMatchObject({
      outcome: 'killed',
      instances: { finished: 0, failed: 0, killed: 0, lost: 0 },
      at: new Date(job.updatedAt).toISOString(),
    });
  });

  it('by the tasks of its last submission; what an earlier one left is not its own', async () => {
    job = { ...job, createdAt: t0 + 500_000, updatedAt: t0 + 500_000, instanceSpan: 3 };
    add(2, 'FAILED');
    add(0, 'KILLED');
    add(1, 'FAILED');
    add(1, 'FINISHED', 2);
    const own = tasks.length - 1;
    const end = job.createdAt + 9_000;
    tasks[own] = { ...(tasks[own] as Task), events: [{ state: 'FINISHED', at: end }] };
    expect(await ends.check(job)).toMatchObject({
      outcome: 'succeeded',
      instances: { finished: 1, failed: 0, killed: 0, lost: 0 },
      at: new Date(end).toISOString(),
    });
  });

  it('says the same again when asked again', async () => {
    add(0, 'FINISHED');
    expect(await ends.check(job)).toEqual(await ends.check(job));
  });
});

describe('a job has not ended', () => {
  it.each<[State]>([['PENDING'], ['THROTTLED'], ['RUNNING'], ['PARTITIONED'], ['KILLING']])(
    'while a task is %s',
    async (state) => {
      add(0, 'FINISHED');
      add(1, state);
      expect(await ends.check(job)).toBeUndefined();
    },
  );

  it('while its newest version is not carried out, or when there is none', async () => {
    job = { ...job, specVersion: 3 };
    expect(await ends.check(job)).toBeUndefined();
    expect(await ends.check({ ...job, name: 'another' })).toBeUndefined();
  });
});

describe('asking', () => {
  it('reads one task while the one seen active last lives, and looks on when it ends', async () => {
    job = { ...job, instanceSpan: 1000 };
    for (let instance = 0; instance < 1000; instance++) add(instance, 'RUNNING');
    for (let asked = 0; asked < 50; asked++) expect(await ends.check(job)).toBeUndefined();
    expect(lists).toEqual([[750, 999]]);
    tasks = tasks.map((task) => (task.instance > 10 ? step(task, 'FINISHED') : task));
    expect(await ends.check(job)).toBeUndefined();
    expect(lists.length).toBe(5);
    for (let asked = 0; asked < 50; asked++) await ends.check(job);
    expect(lists.length).toBe(5);
    tasks = tasks.map((task) => step(task, 'FINISHED'));
    expect(await ends.check(job)).toMatchObject({ instances: { finished: 1000 } });
  });
});
