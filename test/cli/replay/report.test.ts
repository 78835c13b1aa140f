import { describe, expect, it } from 'vitest';
import { sumWriteUnits } from '../../../cli/replay/replay.ts';
import { allocatedShares, countUnplaced, measurePlacements, percentile } from '../../../cli/replay/report.ts';
import { waitingOverTime } from '../../../cli/replay/timed.ts';
import { taskView } from '../support/fake-api.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

function assignedAt(instance: number, ms: number) {
  return taskView(instance, 'ASSIGNED', {
    createdAt: iso(1000),
    events: [
      { state: 'PENDING', at: iso(1000), message: '' },
      { state: 'ASSIGNED', at: iso(ms), message: '' },
    ],
  });
}

describe('placements', () => {
  it('are counted from the first submission to the last ASSIGNED, latencies from the own submission', () => {
    const groups = [
      { submittedAt: 1000, tasks: [assignedAt(0, 1500), assignedAt(1, 2000), taskView(2, 'PENDING')] },
      { submittedAt: 2000, tasks: [assignedAt(3, 3000)] },
    ];
    expect(measurePlacements(groups)).toEqual({
      placed: 3,
      perSecond: 1.5,
      latencyMs: { p50: 1000, p99: 1000 },
      lastAt: 3000,
    });
  });

  it('were not over before the moment somebody saw them unfinished', () => {
    const groups = [{ submittedAt: 1000, tasks: [assignedAt(0, 1500)] }];
    expect(measurePlacements(groups, 3000)).toMatchObject({ perSecond: 0.5, lastAt: 3000 });
  });

  it('are 0 when nothing was placed', () => {
    expect(measurePlacements([{ submittedAt: 1, tasks: [] }])).toMatchObject({ placed: 0, perSecond: 0 });
  });

  it.each([
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.99, 4],
    [[7], 0.5, 7],
    [[], 0.5, 0],
  ])('the percentile of %j at %d is %d', (sorted, share, expected) => {
    expect(percentile(sorted, share)).toBe(expected);
  });
});

describe('allocation', () => {
  it('is the share of the fleet, a part of a card counting as that part', () => {
    const nodes = [
      { name: 'a', cpuMilli: 8000, ramMb: 1000, gpus: ['T4', 'T4'] },
      { name: 'b', cpuMilli: 8000, ramMb: 1000, gpus: [] },
    ];
    const base = { cpuMilli: 2000, ramMb: 500, diskMb: 0, gpuModels: [], ports: [] };
    const tasks = [
      { resources: { ...base, gpus: 1, gpuMilli: 500 } },
      { resources: { ...base, gpus: 0, gpuMilli: 0 } },
    ];
    expect(allocatedShares(nodes, tasks)).toEqual({ cpu: 0.25, ramMb: 0.5, gpus: 0.25 });
    expect(allocatedShares([], [])).toEqual({ cpu: 0, ramMb: 0, gpus: 0 });
  });
});

describe('tasks without a place', () => {
  it('are told apart: never, waiting with what is lacking, unexplained', () => {
    const reason = (verdict: 'waiting' | 'neverFits', code: 'GPU' | 'CPU') => ({
      verdict,
      agents: 1,
      counts: [],
      nearest: { agentId: 'a', reasons: [{ code }] },
      at: 0,
    });
    const found = countUnplaced([
      {
        job: 'x',
        throttled: [],
        pending: [
          { configId: '1', instances: [[0, 9]], reason: reason('waiting', 'GPU') },
          { configId: '2', instances: [[10, 11]], reason: reason('neverFits', 'CPU') },
          { configId: '3', instances: [[12, 12]], reason: null },
        ],
      },
    ]);
    expect(found).toMatchObject({ neverFit: 2, waiting: 11, unexplained: 1 });
    expect(Object.fromEntries(found.reasons)).toEqual({ GPU: 10, CPU: 2, 'no reason yet': 1 });
  });
});

describe('other figures', () => {
  it('sums the write units of all operations, or says that nobody counts', () => {
    const use = (writeUnits: number) => ({
      operation: 'x',
      table: 't',
      writeUnits,
      readUnits: 9,
      requests: 1,
    });
    expect(sumWriteUnits({ capacity: [use(3), use(4.5)] })).toBe(7.5);
    expect(sumWriteUnits({})).toBeUndefined();
  });

  it('samples how many tasks waited over time', () => {
    const samples = waitingOverTime(
      [assignedAt(0, 2500), taskView(1, 'PENDING', { createdAt: iso(1000) })],
      1000,
    );
    expect(samples[0]).toEqual({ atSecs: 0, waiting: 2 });
    expect(samples.at(-1)).toMatchObject({ waiting: 1 });
  });
});
