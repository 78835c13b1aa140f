import { describe, expect, it } from 'vitest';
import { collectSandboxes } from '../../../agent/tasks/sandbox-gc.ts';

const ended = [3, 1, 2].map((n) => ({ taskId: `t${n}`, endedAt: n * 100 }));
const limits = { retentionMs: 1000, diskThreshold: 0.9 };

async function collect(now: number, shares: number[]): Promise<string[]> {
  return collectSandboxes(
    ended,
    limits,
    now,
    async () => shares.shift() ?? 0,
    async () => {},
  );
}

describe('sandbox collection', () => {
  it('removes what is past its retention, oldest first', async () => {
    expect(await collect(1250, [])).toEqual(['t1', 't2']);
  });

  it('keeps everything younger while the disk has room', async () => {
    expect(await collect(500, [0.9])).toEqual([]);
  });

  it('removes the oldest on a full disk, and no more than needed', async () => {
    expect(await collect(500, [0.99, 0.95, 0.8])).toEqual(['t1', 't2']);
  });

  it('stops when there is nothing left to remove', async () => {
    expect(await collect(500, [1, 1, 1, 1, 1])).toEqual(['t1', 't2', 't3']);
  });
});
