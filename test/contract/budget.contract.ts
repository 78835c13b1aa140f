import { describe, expect, it } from 'vitest';
import { measureTaskLife } from '../../bench/task-life.ts';
import type { StoreUnderTest } from './engines.ts';

/** Write units of a task's life by the engine's own count (design section 4). */
export function budgetContract(subject: () => StoreUnderTest): void {
  describe('the write units of a task life', () => {
    it.each([1, 20])(
      'are at most 15 with %i tasks per assignment, indexes and ledger included',
      async (tasks) => {
        const { units, perTask } = await measureTaskLife((meter) => subject().store({ meter }), tasks);
        expect(units.size).toBeGreaterThanOrEqual(6);
        expect(perTask).toBeLessThanOrEqual(15);
      },
    );
  });
}
