import { describe, expect, it } from 'vitest';
import { applyTransition } from '../../../../shared/domain/task/apply.ts';
import { attemptedState } from '../../../../shared/domain/task/reports.ts';
import { defaultTimeouts, timedOut } from '../../../../shared/domain/task/timeouts.ts';
import { parseTaskId } from '../../../../shared/model/job-key.ts';
import { reportedStates } from '../../../../shared/model/protocol.ts';
import { type Task, type TaskState, taskSchema } from '../../../../shared/model/task.ts';
import { at, grant, sampleTask, sources } from './sample-task.ts';

const fiveMinutes = 5 * 60_000;
const lostMessage = 'Action performed on partitioned task, marking as LOST.';

function apply(task: Task, to: TaskState | 'DELETED', now = 1000, more: Parameters<typeof at>[1] = {}) {
  return applyTransition(task, to, at(now, more), sources());
}

describe('a transition that succeeds', () => {
  it('appends an event with the message, sets the deadline and takes over agent and grant', () => {
    const plan = apply(sampleTask('PENDING'), 'ASSIGNED', 1000, { message: 'on agent-1' });
    expect(plan).toEqual({
      outcome: 'SUCCESS',
      from: 'PENDING',
      remove: false,
      kill: false,
      next: {
        ...sampleTask('PENDING'),
        state: 'ASSIGNED',
        agentId: 'agent-1',
        grant,
        deadlineAt: 1000 + fiveMinutes,
        events: [
          { state: 'PENDING', at: 0 },
          { state: 'ASSIGNED', at: 1000, message: 'on agent-1' },
        ],
      },
    });
  });

  it('moves the deadline at STARTING and clears it at RUNNING and at the end', () => {
    const assigned = sampleTask('ASSIGNED', { deadlineAt: 5 });
    expect(apply(assigned, 'STARTING').next?.deadlineAt).toBe(1000 + fiveMinutes);
    for (const to of ['RUNNING', 'FINISHED', 'FAILED', 'KILLED', 'LOST'] as const) {
      expect(apply(assigned, to).next).not.toHaveProperty('deadlineAt');
    }
  });

  it('keeps agent and grant after the end', () => {
    expect(apply(sampleTask('RUNNING'), 'FINISHED').next).toMatchObject({ agentId: 'agent-1', grant });
  });

  it('never lets the history run backwards when clocks differ', () => {
    const plan = apply(sampleTask('STARTING', {}, [['STARTING', 5000]]), 'RUNNING', 1000);
    expect(plan.next?.events.map((event) => event.at)).toEqual([5000, 5000]);
  });

  it('leaves the task it was given as it was', () => {
    const task = sampleTask('RUNNING');
    const copy = structuredClone(task);
    apply(task, 'FAILED');
    expect(task).toEqual(copy);
  });

  it('refuses an assignment without agent or grant as a fault of the caller', () => {
    const input = { ...at(1), grant: undefined };
    expect(() => applyTransition(sampleTask('PENDING'), 'ASSIGNED', input, sources())).toThrow(
      /both agentId and grant/,
    );
  });
});

describe('a transition that does not succeed', () => {
  it.each<[TaskState, TaskState, string, boolean]>([
    ['RUNNING', 'RUNNING', 'NOOP', false],
    ['RUNNING', 'STARTING', 'ILLEGAL', false],
    ['PENDING', 'RESTARTING', 'ILLEGAL', false],
    ['LOST', 'RUNNING', 'ILLEGAL_WITH_KILL', true],
    ['KILLING', 'STARTING', 'ILLEGAL_WITH_KILL', true],
  ])('%s to %s is %s and writes nothing', (from, to, outcome, kill) => {
    expect(apply(sampleTask(from), to)).toEqual({ outcome, from, remove: false, kill });
  });

  it('is INVALID_CAS_STATE when another state was expected, even for a stray report', () => {
    const plan = apply(sampleTask('LOST'), 'RUNNING', 1, { expected: 'ASSIGNED' });
    expect(plan).toEqual({ outcome: 'INVALID_CAS_STATE', from: 'LOST', remove: false, kill: false });
    expect(apply(sampleTask('ASSIGNED'), 'LOST', 1, { expected: 'ASSIGNED' }).outcome).toBe('SUCCESS');
  });
});

describe('killing', () => {
  it.each(['PENDING', 'THROTTLED'] as const)('removes a %s task outright, without a record', (state) => {
    expect(apply(sampleTask(state), 'KILLING')).toEqual({
      outcome: 'SUCCESS',
      from: state,
      remove: true,
      kill: false,
    });
  });

  it('sends a kill, and the end that follows is final even for a service', () => {
    const plan = apply(sampleTask('RUNNING', { service: true }), 'KILLING', 1000, {
      message: 'Killed by ann',
    });
    expect(plan.kill).toBe(true);
    expect(plan.next?.deadlineAt).toBe(1000 + fiveMinutes);
    for (const end of ['FINISHED', 'FAILED', 'KILLED', 'LOST'] as const) {
      expect(apply(plan.next as Task, end, 2000)).not.toHaveProperty('successor');
    }
  });

  it('cancels the replacement of a task that is being restarted, without a second kill', () => {
    const plan = apply(sampleTask('RESTARTING', { service: true }), 'KILLING');
    expect(plan).toMatchObject({ outcome: 'SUCCESS', kill: false, next: { state: 'KILLING' } });
  });

  it('forgets an ended task on DELETED', () => {
    expect(apply(sampleTask('KILLED'), 'DELETED')).toMatchObject({ outcome: 'SUCCESS', remove: true });
  });
});

describe('a partitioned task that is acted upon', () => {
  it.each(['RESTARTING', 'DRAINING', 'PREEMPTING'] as const)(
    'goes through %s to LOST with both events, and is replaced',
    (to) => {
      const plan = apply(sampleTask('PARTITIONED'), to, 1000, { message: 'why' });
      expect(plan.next).toMatchObject({
        state: 'LOST',
        events: [
          { state: 'PARTITIONED' },
          { state: to, message: 'why' },
          { state: 'LOST', message: lostMessage },
        ],
      });
      expect(plan.next).not.toHaveProperty('deadlineAt');
      expect(plan.successor?.generation).toBe(2);
      expect(plan.kill).toBe(true);
    },
  );

  it('goes through KILLING to LOST and is not replaced, even a service', () => {
    const plan = apply(sampleTask('PARTITIONED', { service: true }), 'KILLING');
    expect(plan.next?.events.map(({ state }) => state)).toEqual(['PARTITIONED', 'KILLING', 'LOST']);
    expect(plan).not.toHaveProperty('successor');
    expect(plan.kill).toBe(true);
  });

  it('is LOST at once when a task that is being killed is partitioned, and is not replaced', () => {
    const plan = apply(
      sampleTask('KILLING', { service: true }, [
        ['RUNNING', 0],
        ['KILLING', 1],
      ]),
      'PARTITIONED',
    );
    expect(plan.next?.events.map(({ state }) => state)).toEqual([
      'RUNNING',
      'KILLING',
      'PARTITIONED',
      'LOST',
    ]);
    expect(plan).not.toHaveProperty('successor');
    expect(plan.kill).toBe(true);
  });

  it.each(['RESTARTING', 'DRAINING', 'PREEMPTING'] as const)(
    'is LOST at once and replaced when it was %s',
    (from) => {
      const plan = apply(sampleTask(from), 'PARTITIONED');
      expect(plan.next?.state).toBe('LOST');
      expect(plan.successor?.generation).toBe(2);
      expect(plan.kill).toBe(true);
    },
  );
});

describe('the history of a link that comes and goes', () => {
  it('is compacted, so that it does not grow', () => {
    let task = sampleTask('RUNNING', {}, [
      ['PENDING', 0],
      ['RUNNING', 1],
    ]);
    for (let now = 10; now < 1000; now += 10) {
      const to = task.state === 'RUNNING' ? 'PARTITIONED' : 'RUNNING';
      task = apply(task, to, now).next as Task;
    }
    expect(task.events.map(({ state }) => state)).toEqual(['PENDING', 'RUNNING', 'PARTITIONED']);
    expect(task.events.at(-1)?.at).toBe(990);
    expect(task.events[1]?.at).toBe(1);
  });

  it('drops the last two of X, PARTITIONED, X before the next PARTITIONED and nothing else', () => {
    const history: [TaskState, number][] = [
      ['STARTING', 0],
      ['PARTITIONED', 1],
      ['RUNNING', 2],
    ];
    const plan = apply(sampleTask('RUNNING', {}, history), 'PARTITIONED', 3);
    expect(plan.next?.events).toHaveLength(4);
  });

  it('is bounded and keeps its first event, whatever an agent reports', () => {
    let task = sampleTask('STARTING', {}, [
      ['PENDING', 0],
      ['STARTING', 1],
    ]);
    const round: TaskState[] = ['RUNNING', 'PARTITIONED', 'STARTING', 'PARTITIONED'];
    for (let step = 0; step < 400; step++) {
      const to = round[step % 4] as TaskState;
      const plan = apply(task, to, step + 2);
      if (plan.next) task = plan.next;
    }
    expect(task.events.length).toBeLessThanOrEqual(100);
    expect(task.events[0]).toEqual({ state: 'PENDING', at: 0 });
    expect(task.events.at(-1)?.state).toBe(task.state);
  });
});

describe('what replaces an ended task', () => {
  const failures = { maxTaskFailures: 3, failureCount: 1 };
  it.each<[string, TaskState, TaskState, boolean, boolean]>([
    // name, from, to, service, replaced (spec section 5)
    ['a finished service', 'RUNNING', 'FINISHED', true, true],
    ['finished batch work', 'RUNNING', 'FINISHED', false, false],
    ['a failed service', 'RUNNING', 'FAILED', true, true],
    ['a failed batch run with retries left', 'RUNNING', 'FAILED', false, true],
    ['a lost service', 'RUNNING', 'LOST', true, true],
    ['lost batch work', 'RUNNING', 'LOST', false, true],
    ['an unsolicited kill of batch work', 'RUNNING', 'KILLED', false, true],
    ['a killed service', 'KILLING', 'KILLED', true, false],
    ['batch work that finishes while it is restarted', 'RESTARTING', 'FINISHED', false, true],
    ['batch work that fails while its agent is drained', 'DRAINING', 'FAILED', false, true],
    ['a preempted batch task', 'PREEMPTING', 'KILLED', false, true],
    ['a partitioned service that finished', 'PARTITIONED', 'FINISHED', true, true],
  ])('%s (%s to %s)', (_name, from, to, service, replaced) => {
    const plan = apply(sampleTask(from, { service, ...failures }), to);
    expect(plan.successor !== undefined).toBe(replaced);
  });

  it('counts a failure on the ended row and hands the count on', () => {
    const plan = apply(sampleTask('RUNNING', failures), 'FAILED');
    expect([plan.next?.failureCount, plan.successor?.failureCount]).toEqual([2, 2]);
    const last = apply({ ...(plan.successor as Task), state: 'RUNNING' }, 'FAILED', 2000);
    expect(last.next?.failureCount).toBe(3);
    expect(last).not.toHaveProperty('successor');
  });

  it('does not count a failure while it is being restarted', () => {
    const plan = apply(sampleTask('RESTARTING', { maxTaskFailures: 1 }), 'FAILED');
    expect(plan.successor?.failureCount).toBe(0);
  });

  it('is the next generation of the same instance with the same config, as a valid new row', () => {
    const old = sampleTask('RUNNING', { service: true, generation: 4 });
    const { successor } = apply(old, 'FINISHED', 9000);
    const { agentId: _a, grant: _g, ...kept } = old;
    expect(successor).toEqual({
      ...kept,
      taskId: 'ads~prod~web.server~3~5~a1',
      generation: 5,
      state: 'PENDING',
      createdAt: 9000,
      ancestorId: old.taskId,
      flapStreak: 1,
      events: [{ state: 'PENDING', at: 9000, message: 'Rescheduled' }],
    });
    expect(taskSchema.parse(successor)).toEqual(successor);
    expect(parseTaskId(successor?.taskId ?? '')).toMatchObject({
      instance: 3,
      generation: 5,
      name: 'web.server',
    });
  });

  it('comes at once after the first short run and is throttled after the second in a row', () => {
    const first = apply(sampleTask('RUNNING', { service: true }), 'FAILED', 1000).successor as Task;
    expect(first.state).toBe('PENDING');
    const secondRun: Task = {
      ...first,
      state: 'RUNNING',
      events: [...first.events, { state: 'RUNNING', at: 2000 }],
    };
    const second = apply(secondRun, 'FAILED', 3000).successor as Task;
    expect(second).toMatchObject({
      state: 'THROTTLED',
      flapStreak: 2,
      deadlineAt: 3000 + 45_000,
      events: [{ state: 'THROTTLED', at: 3000, message: 'Rescheduled, penalized for 45000 ms for flapping' }],
    });
    expect(timedOut(second, 47_999)).toBeUndefined();
    expect(timedOut(second, 48_000)).toEqual({ to: 'PENDING' });
    const released = apply(second, 'PENDING', 48_000, { expected: 'THROTTLED' }).next;
    expect(released?.state).toBe('PENDING');
    expect(released).not.toHaveProperty('deadlineAt');
  });
});

describe('timeouts', () => {
  it.each(['ASSIGNED', 'STARTING', 'PREEMPTING', 'RESTARTING', 'DRAINING', 'KILLING'] as const)(
    'end %s after five minutes as LOST',
    (state) => {
      expect(defaultTimeouts[state]).toBe(fiveMinutes);
      const task = sampleTask(state, { deadlineAt: 500 });
      expect(timedOut(task, 499)).toBeUndefined();
      const action = timedOut(task, 500);
      expect(action).toEqual({ to: 'LOST', message: 'Task timed out' });
      const plan = apply(task, 'LOST', 500, { expected: state, message: 'Task timed out' });
      expect(plan.next?.events.at(-1)).toEqual({ state: 'LOST', at: 500, message: 'Task timed out' });
      expect(plan.successor !== undefined).toBe(state !== 'KILLING');
    },
  );

  it('give up a partitioned task with its own message', () => {
    expect(timedOut(sampleTask('PARTITIONED', { deadlineAt: 5 }), 6)).toEqual({
      to: 'LOST',
      message: 'Task partitioned for too long.',
    });
  });

  it('leave a partitioned task alone if the policy has no delay', () => {
    const { PARTITIONED: _none, ...timeouts } = defaultTimeouts;
    const plan = applyTransition(sampleTask('RUNNING'), 'PARTITIONED', { ...at(1), timeouts }, sources());
    expect(plan.next).not.toHaveProperty('deadlineAt');
  });

  it('never touch a task without a deadline, or one in a state that has none', () => {
    expect(timedOut(sampleTask('ASSIGNED'), Number.MAX_SAFE_INTEGER)).toBeUndefined();
    expect(timedOut(sampleTask('RUNNING', { deadlineAt: 1 }), 2)).toBeUndefined();
    expect(timedOut(sampleTask('LOST', { deadlineAt: 1 }), 2)).toBeUndefined();
  });
});

describe("an agent's report", () => {
  const status = { taskId: 'ads~prod~web~0~1~a', at: 5 };
  it.each(reportedStates)('%s attempts the state of that name', (state) => {
    expect(attemptedState({ ...status, state })).toEqual({ to: state });
  });

  it('hands its message on and drops a blank one', () => {
    expect(attemptedState({ ...status, state: 'FAILED', message: 'exit 3' })).toEqual({
      to: 'FAILED',
      message: 'exit 3',
    });
    expect(attemptedState({ ...status, state: 'FAILED', message: '  ' })).toEqual({ to: 'FAILED' });
  });
});
