// Batches as they are shown: cut like the strategy cuts them, counted in the direction the update goes.
import { describe, expect, it } from 'vitest';
import { batchesOf, groupsOf, progressCounts } from '../../../../shared/domain/update/batches.ts';
import type { UpdateRecord, UpdateStrategy } from '../../../../shared/model/update.ts';
import { all, started } from './sample-update.ts';

const nine = (over: Partial<UpdateRecord> = {}, progress: Partial<UpdateRecord['progress']> = {}) => {
  const update = started([all('old', [0, 8])], [all('new', [0, 8])], {
    strategy: { kind: 'batch', groupSize: 3 },
  });
  return { ...update, ...over, progress: { ...update.progress, ...progress } };
};

describe('groupsOf', () => {
  it.each([
    [{ kind: 'queue', groupSize: 4 }, 9, [4, 8, 9]],
    [{ kind: 'batch', groupSize: 3, autoPause: false }, 9, [3, 6, 9]],
    [{ kind: 'varBatch', groupSizes: [1, 2, 4], autoPause: false }, 12, [1, 3, 7, 11, 12]],
    [{ kind: 'batch', groupSize: 50, autoPause: false }, 3, [3]],
    [{ kind: 'batch', groupSize: 5, autoPause: false }, 0, []],
  ] satisfies [UpdateStrategy, number, number[]][])('cuts %j of %d at %j', (strategy, total, ends) => {
    expect(groupsOf(strategy, total).map(({ end }) => end)).toEqual(ends);
  });
});

describe('batchesOf', () => {
  it('counts each batch on the way forward and names the one that is worked on', () => {
    const update = nine({}, { visited: 6, working: [{ since: 1, instances: [[4, 5]] }], failed: [[3, 3]] });
    const { count, current, list } = batchesOf(update, 10);
    expect(count).toBe(3);
    expect(current?.number).toBe(2);
    expect(list.map(({ done, failed, working, waiting }) => [done, failed, working, waiting])).toEqual([
      [3, 0, 0, 0],
      [0, 1, 2, 0],
      [0, 0, 0, 3],
    ]);
    expect(list[1]?.instances).toEqual([[3, 5]]);
  });

  it('goes through the batches from the last visited one on the way back', () => {
    const update = nine({ status: 'ROLLING_BACK' }, { visited: 6, revisited: 3 });
    const { current, list } = batchesOf(update, 10);
    expect(current?.number).toBe(1);
    expect(list.map(({ done, waiting }) => [done, waiting])).toEqual([
      [0, 3],
      [3, 0],
      [0, 0],
    ]);
  });

  it('has no current batch when the update has ended', () => {
    expect(batchesOf(nine({ status: 'ROLLED_FORWARD' }, { visited: 9 }), 10).current).toBeUndefined();
    expect(batchesOf(nine({ status: 'ABORTED' }, { visited: 3 }), 10).current).toBeUndefined();
  });

  it('lists only as many as asked for, the current one among them, of an update of 10,000 single batches', () => {
    const update = started([all('old', [0, 9999])], [all('new', [0, 9999])]);
    const at = { ...update, progress: { ...update.progress, visited: 7000 } };
    const { count, current, list } = batchesOf(at, 200);
    expect([count, current?.number, list.length]).toEqual([10_000, 7001, 200]);
    expect(list.some(({ number }) => number === 7001)).toBe(true);
    expect(batchesOf(update, 200).list[0]?.number).toBe(1);
  });
});

describe('progressCounts', () => {
  it('counts what is left in the present direction', () => {
    const forward = nine({}, { visited: 6, working: [{ since: 1, instances: [[5, 5]] }], failed: [[3, 3]] });
    expect(progressCounts(forward)).toEqual({ total: 9, waiting: 3, working: 1, done: 4, failed: 1 });
    const back = nine({ status: 'ROLLING_BACK' }, { visited: 6, revisited: 2, failed: [] });
    expect(progressCounts(back)).toEqual({ total: 6, waiting: 4, working: 0, done: 2, failed: 0 });
  });
});
