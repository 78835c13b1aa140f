// Which tasks a drain takes: the rules as a table, and the budget as a property over generated jobs and drains.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availabilityOf } from '../../../../shared/domain/drain/availability.ts';
import {
  type CountedJob,
  type DrainingAgent,
  jobsToCount,
  planDrain,
} from '../../../../shared/domain/drain/plan-drain.ts';
import type { Drain } from '../../../../shared/model/agent.ts';
import { jobPath } from '../../../../shared/model/job-key.ts';
import { isActive, type Task, type TaskState } from '../../../../shared/model/task.ts';
import { makeTask, t0 } from '../../../contract/fixtures.ts';

const now = t0 + 3_600_000;
const drain: Drain = {
  requestedAt: now,
  deadlineAt: now + 60_000,
  percentage: 95,
  settledSecs: 30,
  reason: '',
  requestedBy: 'someone',
};

function task(instance: number, state: TaskState, over: Partial<Task> = {}, forMs = 60_000): Task {
  return makeTask({
    instance,
    state,
    agentId: 'a1',
    events: [
      { state: 'PENDING', at: t0 },
      { state, at: now - forMs },
    ],
    ...over,
  });
}

function planOf(agents: readonly DrainingAgent[], all: readonly Task[], missing = 0) {
  const jobs = Array.from(Map.groupBy(all, jobPath), ([path, tasks]): [string, CountedJob] => [
    path,
    { tasks, wanted: tasks.filter(({ state }) => isActive(state)).length + missing },
  ]);
  return planDrain(agents, new Map(jobs), now);
}

describe('a task on an agent that is being emptied', () => {
  const neighbours = [task(1, 'RUNNING', { agentId: 'a2' }), task(2, 'RUNNING', { agentId: 'a2' })];
  it.each<[string, Task, Partial<Drain>, string]>([
    ['runs, its job can spare it', task(0, 'RUNNING'), {}, 'moved'],
    ['starts', task(0, 'STARTING'), {}, 'moved'],
    ['was just assigned', task(0, 'ASSIGNED'), {}, 'moved'],
    ['is out of reach', task(0, 'PARTITIONED'), {}, 'moved'],
    ['is being killed', task(0, 'KILLING'), {}, 'ENDING'],
    ['is being drained', task(0, 'DRAINING'), {}, 'ENDING'],
    ['is being killed, past the deadline', task(0, 'KILLING'), { deadlineAt: now }, 'ENDING'],
    ['is batch work', task(0, 'RUNNING', { service: false }), {}, 'BATCH'],
    ['is batch work out of reach', task(0, 'PARTITIONED', { service: false }), {}, 'BATCH'],
    [
      'is batch work, past the deadline',
      task(0, 'RUNNING', { service: false }),
      { deadlineAt: now },
      'forced',
    ],
    ['runs, at the deadline', task(0, 'RUNNING'), { deadlineAt: now }, 'forced'],
  ])('that %s: %s', (_what, candidate, over, expected) => {
    const agent = { agentId: 'a1', drain: { ...drain, ...over }, tasks: [candidate] };
    const { move, held } = planOf([agent], [candidate, ...neighbours]);
    const verdict = move[0] ? (move[0].forced ? 'forced' : 'moved') : held[0]?.hold.kind;
    expect([verdict, move.length + held.length]).toEqual([expected, 1]);
  });
});

describe('the budget of a job', () => {
  const running = (count: number, agentId: string, from = 0) =>
    Array.from({ length: count }, (_, index) => task(from + index, 'RUNNING', { agentId }));

  it('lets one instance go, however small the job', () => {
    const tasks = running(1, 'a1');
    expect(planOf([{ agentId: 'a1', drain, tasks }], tasks).move).toHaveLength(1);
  });

  it('takes one of two copies although both of their agents are being emptied', () => {
    const [a, b] = [running(1, 'a1'), running(1, 'a2', 1)];
    const agents = [
      { agentId: 'a1', drain, tasks: a },
      { agentId: 'a2', drain, tasks: b },
    ];
    const { move, held } = planOf(agents, [...a, ...b]);
    expect(move).toHaveLength(1);
    expect(held.map(({ hold }) => hold)).toEqual([{ kind: 'AVAILABILITY', total: 2, up: 1, allowedDown: 1 }]);
  });

  it('counts what is down for other reasons', () => {
    const tasks = running(2, 'a1');
    const waiting = task(2, 'PENDING', { agentId: undefined as never });
    expect(planOf([{ agentId: 'a1', drain, tasks }], [...tasks, waiting]).move).toEqual([]);
  });

  it('counts an instance that an update has ended and not yet created again', () => {
    const tasks = running(2, 'a1');
    const ended = task(2, 'KILLED', { agentId: 'a2' });
    expect(planOf([{ agentId: 'a1', drain, tasks }], [...tasks, ended], 1).move).toEqual([]);
    expect(planOf([{ agentId: 'a1', drain, tasks }], [...tasks, ended], 0).move).toHaveLength(1);
  });

  it.each<TaskState>(['KILLING', 'PENDING', 'ASSIGNED', 'STARTING', 'DRAINING'])(
    'counts an instance that an update has at work as %s',
    (state) => {
      const tasks = running(2, 'a1');
      const working = task(2, state, { agentId: 'a2' });
      expect(planOf([{ agentId: 'a1', drain, tasks }], [...tasks, working]).move).toEqual([]);
    },
  );

  it('counts an instance as up only when it has run for a while, and takes one that has not first', () => {
    const fresh = task(0, 'RUNNING', {}, 29_000);
    const old = task(1, 'RUNNING', {});
    const { move } = planOf([{ agentId: 'a1', drain, tasks: [old, fresh] }], [old, fresh]);
    expect(move.map((entry) => entry.task.taskId)).toEqual([fresh.taskId]);
  });

  it('is what the request says', () => {
    const tasks = running(10, 'a1');
    const half = { ...drain, percentage: 50 };
    expect(planOf([{ agentId: 'a1', drain: half, tasks }], tasks).move).toHaveLength(5);
    expect(planOf([{ agentId: 'a1', drain: { ...drain, percentage: 0 }, tasks }], tasks).move).toHaveLength(
      10,
    );
  });

  it('is also used up by tasks that are ended at the deadline of another agent', () => {
    const [late, soon] = [running(1, 'a1'), running(1, 'a2', 1)];
    const agents = [
      { agentId: 'a1', drain, tasks: late },
      { agentId: 'a2', drain: { ...drain, deadlineAt: now }, tasks: soon },
    ];
    const { move } = planOf(agents, [...late, ...soon]);
    expect(move).toMatchObject([{ agentId: 'a2', forced: true }]);
  });

  it('is not spent for a job that could not be counted', () => {
    const tasks = running(2, 'a1');
    expect(planDrain([{ agentId: 'a1', drain, tasks }], new Map(), now).move).toEqual([]);
  });
});

describe('jobsToCount', () => {
  it('names the jobs of which a running instance could be taken, and no others', () => {
    const named = (name: string, state: TaskState, service = true) => task(0, state, { name, service });
    const tasks = [named('up', 'RUNNING'), named('batch', 'RUNNING', false), named('starts', 'STARTING')];
    const jobs = jobsToCount([{ agentId: 'a1', drain, tasks }], now);
    expect([...jobs.keys()]).toEqual(['www-data/prod/up']);
    expect(jobsToCount([{ agentId: 'a1', drain: { ...drain, deadlineAt: now }, tasks }], now).size).toBe(0);
  });
});

describe('over generated jobs and drains', () => {
  const states: readonly TaskState[] = ['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING', 'DRAINING', 'KILLING'];
  const anInstance = fc.record({
    state: fc.oneof({ weight: 4, arbitrary: fc.constant<TaskState>('RUNNING') }, fc.constantFrom(...states)),
    forMs: fc.integer({ min: 0, max: 60_000 }),
    agent: fc.integer({ min: 0, max: 4 }),
  });

  it('never brings more instances of a service down than its budget, and each task is decided once', () => {
    fc.assert(
      fc.property(
        fc.array(anInstance, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 1, max: 4 }),
        (instances, percentage, drained) => {
          const all = instances.map(({ state, forMs, agent }, instance) =>
            task(instance, state, { agentId: `a${agent}` }, forMs),
          );
          const agents = Array.from({ length: drained }, (_, index) => ({
            agentId: `a${index}`,
            drain: { ...drain, percentage },
            tasks: all.filter((one) => one.agentId === `a${index}` && one.state !== 'PENDING'),
          }));
          const { move, held } = planOf(agents, all);
          const decided = [...move, ...held].map((entry) => entry.task.taskId);
          expect(new Set(decided).size).toBe(decided.length);
          expect(decided).toHaveLength(agents.flatMap(({ tasks }) => tasks).length);

          const taken = new Set(move.map((entry) => entry.task.taskId));
          const before = availabilityOf(all, { ...drain, percentage }, now, all.length);
          const after = all.map((one) =>
            taken.has(one.taskId) ? { ...one, state: 'DRAINING' as const } : one,
          );
          const { total, up, allowedDown } = availabilityOf(
            after,
            { ...drain, percentage },
            now,
            after.length,
          );
          expect(total).toBe(all.filter(({ state }) => isActive(state)).length);
          // What was down before may exceed the budget; a drain never makes it worse.
          expect(total - up).toBeLessThanOrEqual(Math.max(allowedDown, before.total - before.up));
        },
      ),
    );
  });
});
