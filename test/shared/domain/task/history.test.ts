// Which history may go, and which never.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHistoryDue, surplusHistory } from '../../../../shared/domain/task/history.ts';
import { isTerminal, type Task, taskStates } from '../../../../shared/model/task.ts';
import { makeTask, step, t0 } from '../../../contract/fixtures.ts';

const hour = 3600_000;
const limits = { maxPerJob: 3, minKeptMs: hour };
const now = t0 + 100 * hour;

function ended(instance: number, generation: number, at: number): Task {
  const task = makeTask({ instance, generation });
  return { ...task, state: 'FAILED', events: [{ state: 'FAILED', at }] };
}
const generations = (tasks: readonly Task[]) => tasks.map(({ generation }) => generation);

describe('surplusHistory', () => {
  it('is what goes beyond the newest of a job, the oldest first', () => {
    const tasks = [1, 2, 3, 4, 5, 6].map((generation) => ended(0, generation, t0 + generation));
    expect(generations(surplusHistory(tasks, now, limits))).toEqual([1, 2, 3]);
  });

  it('is never what ended within the hour', () => {
    const tasks = [1, 2, 3, 4, 5].map((generation) => ended(0, generation, now - hour + generation));
    expect(surplusHistory(tasks, now, limits)).toEqual([]);
    expect(generations(surplusHistory(tasks, now + 1, limits))).toEqual([1]);
  });

  it('is never the newest of an instance, nor what has not ended', () => {
    const finished = [0, 1, 2, 3, 4, 5].map((instance) => ended(instance, 1, t0 + instance));
    expect(surplusHistory(finished, now, limits)).toEqual([]);
  });

  it('leaves every live task, whatever there is', () => {
    const task = fc
      .record({
        instance: fc.nat(3),
        generation: fc.integer({ min: 1, max: 30 }),
        state: fc.constantFrom(...taskStates),
        at: fc.integer({ min: t0, max: now }),
      })
      .map(({ state, at, ...over }) => ({ ...step(makeTask(over), state), events: [{ state, at }] }));
    fc.assert(
      fc.property(fc.array(task, { maxLength: 60 }), fc.nat(5), (tasks, maxPerJob) => {
        const surplus = surplusHistory(tasks, now, { maxPerJob, minKeptMs: hour });
        expect(surplus.every(({ state }) => isTerminal(state))).toBe(true);
        const kept = tasks.filter((one) => !surplus.includes(one));
        const endedCount = tasks.filter(({ state }) => isTerminal(state)).length;
        expect(kept.filter(({ state }) => isTerminal(state)).length).toBeGreaterThanOrEqual(
          Math.min(maxPerJob, endedCount),
        );
        // The newest row of each instance is there still.
        for (const { instance, generation } of tasks) {
          expect(kept.some((one) => one.instance === instance && one.generation >= generation)).toBe(true);
        }
      }),
    );
  });

  it('is looked for once in twenty generations', () => {
    const due = Array.from({ length: 60 }, (_, index) => index + 1).filter((generation) =>
      isHistoryDue({ generation }),
    );
    expect(due).toEqual([20, 40, 60]);
  });
});
