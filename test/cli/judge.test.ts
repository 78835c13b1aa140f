import { describe, expect, it } from 'vitest';
import { type Goal, judge } from '../../cli/wait/judge.ts';
import type { TaskState } from '../../shared/model/task.ts';
import { jobView, taskView } from './support/fake-api.ts';

/** A verdict over two instances in these states. */
function verdict(goal: Goal, ...states: TaskState[]) {
  return judge(
    { job: jobView(), tasks: states.map((state, instance) => taskView(instance, state)) },
    { goal },
  );
}

describe('waiting for a job', () => {
  it.each([
    ['RUNNING', ['RUNNING', 'RUNNING'], true],
    ['RUNNING', ['RUNNING', 'FINISHED'], true],
    ['RUNNING', ['RUNNING', 'STARTING'], false],
    ['RUNNING', ['RUNNING', 'THROTTLED'], false],
    ['RUNNING', ['RUNNING', 'LOST'], false],
    ['RUNNING', ['RUNNING'], false],
    ['FINISHED', ['FINISHED', 'FINISHED'], true],
    ['FINISHED', ['FINISHED', 'RUNNING'], false],
    ['PENDING', ['PENDING', 'FAILED'], true],
    ['PENDING', ['PENDING'], false],
    ['GONE', ['KILLED', 'FINISHED'], true],
    ['GONE', ['KILLED', 'KILLING'], false],
    ['GONE', [], true],
  ] as const)('for %s with %j is over: %s', (goal, states, done) => {
    const { done: isDone, failed } = verdict(goal, ...states);
    expect([isDone, failed]).toEqual([done, undefined]);
  });

  it.each(['FAILED', 'KILLED'] as const)(
    'is hopeless when an instance is %s without a successor',
    (state) => {
      const { done, failed } = verdict('RUNNING', 'RUNNING', state);
      expect(done).toBe(false);
      expect(failed).toContain(`instance 1 is ${state}`);
    },
  );

  it('looks at the newest task of an instance only', () => {
    const tasks = [
      taskView(0, 'RUNNING', { generation: 2 }),
      taskView(0, 'FAILED', { generation: 1 }),
      taskView(1, 'RUNNING'),
    ];
    expect(judge({ job: jobView(), tasks }, { goal: 'RUNNING' })).toMatchObject({ done: true });
  });

  it('decides nothing before the newest change is carried out: the tasks may be of an earlier life', () => {
    const job = jobView({ reconciled: false });
    const finished = [taskView(0, 'FINISHED'), taskView(1, 'FINISHED')];
    expect(judge({ job, tasks: finished }, { goal: 'FINISHED' }).done).toBe(false);
    expect(judge({ job, tasks: finished }, { goal: 'GONE' }).done).toBe(false);
    const killed = [taskView(0, 'KILLED'), taskView(1, 'KILLED')];
    expect(judge({ job, tasks: killed }, { goal: 'RUNNING' }).failed).toBeUndefined();
  });

  it('leaves instances out that are no longer wanted', () => {
    const job = jobView({ desired: [{ instances: [0, 0], configId: 'c1' }] });
    const tasks = [taskView(0, 'RUNNING'), taskView(1, 'KILLED')];
    expect(judge({ job, tasks }, { goal: 'RUNNING' })).toMatchObject({ done: true });
  });

  it('counts only newer generations after a restart', () => {
    const newerThan = new Map([
      [0, 1],
      [1, 1],
    ]);
    const before = [taskView(0, 'RUNNING'), taskView(1, 'RUNNING')];
    expect(judge({ job: jobView(), tasks: before }, { goal: 'RUNNING', newerThan }).done).toBe(false);
    const after = before.map((task) => ({ ...task, generation: 2 }));
    expect(judge({ job: jobView(), tasks: after }, { goal: 'RUNNING', newerThan }).done).toBe(true);
  });

  it('counts instances by state, with those that have no task yet', () => {
    expect(verdict('RUNNING', 'RUNNING').counts).toEqual([
      ['NOT CREATED', 1],
      ['RUNNING', 1],
    ]);
  });
});
