// The table of spec/updates.md section 7, row by row, and which ends count as failures.
import { describe, expect, it } from 'vitest';
import { evaluateInstance } from '../../../../shared/domain/update/evaluate-instance.ts';
import { countFailures, endKind, toleratedLosses } from '../../../../shared/domain/update/failures.ts';
import type { UpdateTask } from '../../../../shared/domain/update/newest-task.ts';
import { isTerminal, type TaskState, taskStates } from '../../../../shared/model/task.ts';
import { task } from './sample-update.ts';

const now = 100_000;

/** The verdict in a few words. */
function verdict(
  target: string | undefined,
  tasks: UpdateTask[],
  { maxPerInstanceFailures = 0, since = 50_000, watchMs = 10_000 } = {},
): string {
  const answer = evaluateInstance({
    tasks,
    target,
    since,
    now,
    maxPerInstanceFailures,
    minWaitInInstanceRunningMs: watchMs,
  });
  switch (answer.kind) {
    case 'KILL':
      return `kill ${answer.task.taskId}`;
    case 'CREATE':
      return `create ${answer.configId} ${answer.generation}`;
    case 'WAIT':
      return `wait ${answer.why}${answer.until === undefined ? '' : ` until ${answer.until}`}`;
    case 'SUCCEEDED':
    case 'FAILED':
      return answer.kind;
  }
}

const inState = (configId: string, state: TaskState) => [
  task(configId, 3, ['PENDING', 10_000], [state, 60_000]),
];
const live = taskStates.filter((state) => !isTerminal(state) && state !== 'KILLING');
const ended = taskStates.filter(isTerminal);

describe('an instance that shall not exist', () => {
  it('that has no task is done', () => {
    expect(verdict(undefined, [])).toBe('SUCCEEDED');
  });
  it.each(live)('that is %s is killed', (state) => {
    expect(verdict(undefined, inState('old', state))).toBe('kill t-old-3');
  });
  it('that is KILLING is waited for', () => {
    expect(verdict(undefined, inState('old', 'KILLING'))).toBe('wait ENDING');
  });
  it.each(ended)('that has ended as %s is done: no successor follows', (state) => {
    expect(verdict(undefined, inState('old', state))).toBe('SUCCEEDED');
  });
});

describe('an instance that runs another config', () => {
  it.each(live)('in %s is killed', (state) => {
    expect(verdict('new', inState('old', state))).toBe('kill t-old-3');
  });
  it('in KILLING is waited for', () => {
    expect(verdict('new', inState('old', 'KILLING'))).toBe('wait ENDING');
  });
  it.each(ended)('and has ended as %s is created anew, the next generation', (state) => {
    expect(verdict('new', inState('old', state))).toBe('create new 4');
  });
  it('and dies by itself has not failed; its replacement is killed', () => {
    const tasks = [task('old', 3, ['FAILED', 60_000]), task('old', 4, ['PENDING', 60_000])];
    expect(verdict('new', tasks)).toBe('kill t-old-4');
  });
});

describe('an instance that is absent', () => {
  it('is created', () => {
    expect(verdict('new', [])).toBe('create new 1');
  });
});

describe('an instance that runs the config it shall run', () => {
  it.each([
    [89_999, 'SUCCEEDED'],
    [90_000, 'SUCCEEDED'],
    [90_001, 'wait WATCH until 100001'],
  ])('RUNNING since %i with a watch of 10 s at 100 s: %s', (since, answer) => {
    expect(verdict('new', [task('new', 2, ['PENDING', 0], ['RUNNING', since])])).toBe(answer);
  });

  it('is done at once without a watch', () => {
    expect(verdict('new', [task('new', 2, ['RUNNING', now])], { watchMs: 0 })).toBe('SUCCEEDED');
  });

  it('is watched from the start after a partition', () => {
    const tasks = [task('new', 2, ['RUNNING', 1000], ['PARTITIONED', 80_000], ['RUNNING', 95_000])];
    expect(verdict('new', tasks)).toBe('wait WATCH until 105000');
  });

  it.each<[TaskState, string]>([
    ['PENDING', 'PLACEMENT'],
    ['THROTTLED', 'PENALTY'],
    ['ASSIGNED', 'STARTING'],
    ['STARTING', 'STARTING'],
    ['PARTITIONED', 'PARTITIONED'],
    ['DRAINING', 'RESTARTING'],
    ['RESTARTING', 'RESTARTING'],
    ['PREEMPTING', 'RESTARTING'],
    ['KILLING', 'ENDING'],
  ])('in %s is waited for (%s), without a limit', (state, why) => {
    expect(verdict('new', inState('new', state))).toBe(`wait ${why}`);
  });

  it.each<TaskState>(['FINISHED', 'FAILED', 'KILLED'])('and has ended as %s has failed', (state) => {
    expect(verdict('new', inState('new', state))).toBe('FAILED');
  });

  it('may fail as often as borne; its replacement is watched', () => {
    const tasks = [
      task('new', 2, ['RUNNING', 50_000], ['FAILED', 55_000]),
      task('new', 3, ['RUNNING', 56_000], ['FAILED', 60_000]),
      task('new', 4, ['RUNNING', 99_000]),
    ];
    expect(verdict('new', tasks, { maxPerInstanceFailures: 1 })).toBe('FAILED');
    expect(verdict('new', tasks, { maxPerInstanceFailures: 2 })).toBe('wait WATCH until 109000');
  });

  it('whose failure is borne and that has no replacement is created anew', () => {
    // PARTITIONED -> FINISHED writes no successor, so nobody else would.
    const tasks = [task('new', 2, ['RUNNING', 50_000], ['PARTITIONED', 55_000], ['FINISHED', 60_000])];
    expect(verdict('new', tasks, { maxPerInstanceFailures: 1 })).toBe('create new 3');
  });

  it('did not fail by what ended before its turn, or by what another config did', () => {
    const tasks = [
      task('new', 1, ['RUNNING', 1000], ['FAILED', 49_999]),
      task('old', 2, ['RUNNING', 1000], ['FAILED', 60_000]),
      task('new', 3, ['RUNNING', 70_000]),
    ];
    expect(verdict('new', tasks)).toBe('SUCCEEDED');
  });
});

describe('the end of a task', () => {
  it.each<[TaskState[], string]>([
    [['RUNNING'], 'NONE'],
    [['RUNNING', 'FAILED'], 'FAILURE'],
    [['RUNNING', 'FINISHED'], 'FAILURE'],
    [['RUNNING', 'KILLED'], 'FAILURE'],
    [['STARTING', 'LOST'], 'FAILURE'],
    [['ASSIGNED', 'LOST'], 'LOSS'],
    [['RUNNING', 'LOST'], 'LOSS'],
    [['RUNNING', 'PARTITIONED', 'LOST'], 'LOSS'],
    [['RUNNING', 'KILLING', 'KILLED'], 'NONE'],
    [['RUNNING', 'DRAINING', 'FAILED'], 'NONE'],
    [['RUNNING', 'PREEMPTING', 'KILLED'], 'NONE'],
    [['RUNNING', 'RESTARTING', 'FINISHED'], 'NONE'],
    [['RUNNING', 'PARTITIONED', 'DRAINING', 'LOST'], 'NONE'],
  ])('with the history %j speaks against its version: %s', (states, kind) => {
    expect(endKind(task('new', 1, ...states.map((state): [TaskState, number] => [state, 1])))).toBe(kind);
  });

  it('counts losses only beyond those that are borne', () => {
    const lost = (count: number) =>
      Array.from({ length: count }, (_none, i) => task('new', i + 1, ['RUNNING', 1], ['LOST', 2]));
    expect(countFailures(lost(toleratedLosses), 'new', 0)).toBe(0);
    expect(countFailures(lost(toleratedLosses + 2), 'new', 0)).toBe(2);
  });
});
