// Properties of the machine under any sequence of attempts, in any order and however often repeated.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyTransition } from '../../../../shared/domain/task/apply.ts';
import { timedOut } from '../../../../shared/domain/task/timeouts.ts';
import {
  isActive,
  isOnAgent,
  isTerminal,
  type Task,
  type TaskState,
  taskSchema,
  taskStates,
} from '../../../../shared/model/task.ts';
import { transientStates } from '../../../../shared/model/task-timeouts.ts';
import { at, sampleTask, sources } from './sample-task.ts';

const stepArb = fc.record({
  to: fc.constantFrom<TaskState>(...taskStates),
  afterMs: fc.nat(20 * 60_000),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  /** Which of the rows so far is addressed: reports about old generations keep coming. */
  target: fc.nat(),
});
const runArb = fc.record({
  service: fc.boolean(),
  maxTaskFailures: fc.integer({ min: -1, max: 4 }),
  steps: fc.array(stepArb, { maxLength: 60 }),
});

interface StepInput {
  to: TaskState;
  afterMs: number;
  random: number;
  target: number;
}

interface Step {
  readonly before: Task;
  readonly after: Task | undefined;
  readonly successor: Task | undefined;
}

/** Plays attempts against a table of rows keyed by generation, as the store would. Every row version is kept. */
function play(run: { service: boolean; maxTaskFailures: number; steps: StepInput[] }) {
  const first = sampleTask('PENDING', { service: run.service, maxTaskFailures: run.maxTaskFailures });
  const rows = new Map<number, Task>([[1, first]]);
  const steps: Step[] = [];
  let now = 0;
  for (const { to, afterMs, random, target } of run.steps) {
    now += afterMs;
    const before = [...rows.values()][target % Math.max(1, rows.size)];
    if (!before) break;
    const plan = applyTransition(
      before,
      to,
      at(now),
      sources(() => random),
    );
    if (plan.remove) rows.delete(before.generation);
    if (plan.next) rows.set(before.generation, plan.next);
    if (plan.successor) {
      expect(rows.has(plan.successor.generation)).toBe(false);
      rows.set(plan.successor.generation, plan.successor);
    }
    steps.push({ before, after: plan.remove ? undefined : (plan.next ?? before), successor: plan.successor });
  }
  return { rows: [...rows.values()], steps };
}
describe('whatever is reported or asked, in any order', () => {
  const holds = (check: (played: ReturnType<typeof play>) => void) =>
    fc.assert(
      fc.property(runArb, (run) => check(play(run))),
      { numRuns: 500 },
    );

  it('an ended task never changes', () => {
    holds(({ steps }) => {
      for (const { before, after } of steps) if (isTerminal(before.state)) expect(after).toBe(before);
    });
  });

  it('at most one task of the instance is active, and it is the newest generation', () => {
    holds(({ rows }) => {
      const active = rows.filter(({ state }) => isActive(state));
      expect(active.length).toBeLessThanOrEqual(1);
      const newest = Math.max(...rows.map(({ generation }) => generation));
      for (const task of active) expect(task.generation).toBe(newest);
    });
  });

  it('a task has at most one successor, the next generation, written as the task ends', () => {
    holds(({ steps }) => {
      const ancestors = new Set<string>();
      for (const { before, after, successor } of steps) {
        if (!successor) continue;
        expect(ancestors.has(before.taskId)).toBe(false);
        ancestors.add(before.taskId);
        expect(successor).toMatchObject({
          generation: before.generation + 1,
          instance: before.instance,
          configId: before.configId,
          spec: before.spec,
          ancestorId: before.taskId,
          failureCount: after?.failureCount,
        });
        expect(after && isTerminal(after.state)).toBe(true);
      }
    });
  });

  it('a task that was asked to be killed is never replaced', () => {
    holds(({ steps }) => {
      for (const { before, successor } of steps) {
        if (before.events.some(({ state }) => state === 'KILLING')) expect(successor).toBeUndefined();
      }
    });
  });

  it('every transient state and THROTTLED has a deadline, no other but PARTITIONED has one, and the deadline moves it on', () => {
    holds(({ rows }) => {
      for (const task of rows) {
        const timed = ([...transientStates, 'PARTITIONED', 'THROTTLED'] as TaskState[]).includes(task.state);
        expect([task.state, task.deadlineAt !== undefined]).toEqual([task.state, timed]);
        if (task.deadlineAt === undefined) continue;
        const action = timedOut(task, task.deadlineAt);
        expect(action).toBeDefined();
        if (!action) continue;
        const plan = applyTransition(task, action.to, at(task.deadlineAt), sources());
        expect([plan.outcome, plan.next?.state]).toEqual(['SUCCESS', action.to]);
      }
    });
  });

  it('the last event is the state, times never run backwards, and every row is valid', () => {
    holds(({ rows }) => {
      for (const task of rows) {
        expect(task.events.at(-1)?.state).toBe(task.state);
        const times = task.events.map((event) => event.at);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(taskSchema.safeParse(task).success).toBe(true);
        if (isOnAgent(task.state)) expect(task).toMatchObject({ agentId: 'agent-1' });
      }
    });
  });

  it('a batch instance fails at most as often as its limit, counting what was reported by running tasks', () => {
    holds(({ rows }) => {
      for (const task of rows) {
        if (task.service || task.maxTaskFailures < 1) continue;
        expect(task.failureCount).toBeLessThanOrEqual(task.maxTaskFailures);
      }
    });
  });

  it('repeating an attempt that succeeded changes nothing more', () => {
    fc.assert(
      fc.property(runArb, fc.constantFrom<TaskState>(...taskStates), (run, to) => {
        for (const task of play(run).rows) {
          const once = applyTransition(task, to, at(1e12), sources());
          // LOST by way of another state answers a repeat of that other state as a stray report.
          if (!once.next || once.next.state !== to) continue;
          expect(applyTransition(once.next, to, at(2e12), sources()).outcome).toBe('NOOP');
        }
      }),
    );
  });
});
