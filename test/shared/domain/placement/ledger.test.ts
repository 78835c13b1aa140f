import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  auditLedger,
  fits,
  type Holding,
  ledgerFromCapacity,
  release,
  take,
  takeAll,
} from '../../../../shared/domain/placement/index.ts';
import { planPlacement } from '../../../../shared/domain/placement/place.ts';
import type { Grant, Resources } from '../../../../shared/model/resources.ts';
import { anyPool, sampleAgent, sampleResources, sampleTask } from './sample-fleet.ts';

const capacity = sampleAgent('a1', { capacity: { gpus: ['T4', 'V100'], portRange: [31_000, 31_003] } }).agent
  .capacity;
const empty = ledgerFromCapacity('a1', capacity);

function holding(taskId: string, resources: Partial<Resources>, grant: Partial<Grant> = {}): Holding {
  return { taskId, resources: sampleResources(resources), grant: { gpus: [], ports: {}, ...grant } };
}
const shared = holding(
  't1',
  { gpus: 1, gpuMilli: 400, ports: ['http'] },
  { gpus: [[1, 400]], ports: { http: 31_002 } },
);

describe('a ledger', () => {
  it('starts with everything free', () => {
    expect(empty).toEqual({
      agentId: 'a1',
      version: 1,
      freeCpuMilli: 8000,
      freeRamMb: 16_384,
      freeDiskMb: 10_000,
      gpus: [
        { model: 'T4', freeMilli: 1000 },
        { model: 'V100', freeMilli: 1000 },
      ],
      usedPorts: [],
      live: [],
    });
  });

  it('takes every resource of a task, and changes neither its argument nor the version', () => {
    const before = structuredClone(empty);

    const after = take(empty, shared.resources, shared.grant, 't1');

    expect(empty).toEqual(before);
    expect(after).toEqual({
      ...empty,
      freeCpuMilli: 7000,
      freeRamMb: 15_360,
      gpus: [
        { model: 'T4', freeMilli: 1000 },
        { model: 'V100', freeMilli: 600 },
      ],
      usedPorts: [31_002],
      live: ['t1'],
    });
    expect(release(after, shared.resources, shared.grant, 't1')).toEqual(empty);
  });

  it('releases once however often it is told', () => {
    const after = takeAll(empty, [shared, holding('t2', {})]);

    const once = release(after, shared.resources, shared.grant, 't1');

    expect(release(once, shared.resources, shared.grant, 't1')).toBe(once);
    expect(once.live).toEqual(['t2']);
  });

  it.each([
    ['more cpu than is free', holding('t2', { cpuMilli: 7001 })],
    ['more memory than is free', holding('t2', { ramMb: 16_000 })],
    ['more disk than is free', holding('t2', { diskMb: 10_001 })],
    ['a task that is live', holding('t1', {})],
    ['a port in use', holding('t2', { ports: ['http'] }, { ports: { http: 31_002 } })],
    ['fewer ports than asked', holding('t2', { ports: ['http', 'admin'] }, { ports: { http: 31_001 } })],
    ['a card that is partly used', holding('t2', { gpus: 1, gpuMilli: 1000 }, { gpus: [[1, 1000]] })],
    ['a card that does not exist', holding('t2', { gpus: 1, gpuMilli: 100 }, { gpus: [[2, 100]] })],
    ['a share unlike the ask', holding('t2', { gpus: 1, gpuMilli: 300 }, { gpus: [[0, 200]] })],
    ['fewer cards than asked', holding('t2', { gpus: 2, gpuMilli: 1000 }, { gpus: [[0, 1000]] })],
    [
      'a model not asked for',
      holding('t2', { gpus: 1, gpuMilli: 100, gpuModels: ['V100'] }, { gpus: [[0, 100]] }),
    ],
  ])('refuses %s', (_, wrong) => {
    const one = takeAll(empty, [shared]);

    expect(() => takeAll(one, [wrong])).toThrow(/Nothing was taken/);
  });

  it('fits exactly what is free', () => {
    expect(fits(empty, sampleResources({ cpuMilli: 8000, ramMb: 16_384, diskMb: 10_000 }))).toBe(true);
    expect(fits(empty, sampleResources({ cpuMilli: 8001 }))).toBe(false);
    expect(fits(empty, sampleResources({ ports: ['a', 'b', 'c', 'd'] }), capacity)).toBe(true);
    expect(fits(empty, sampleResources({ ports: ['a', 'b', 'c', 'd', 'e'] }), capacity)).toBe(false);
    expect(
      fits(take(empty, shared.resources, shared.grant, 't1'), sampleResources({ gpus: 2, gpuMilli: 1000 })),
    ).toBe(false);
  });
});

describe('the audit of a ledger', () => {
  const held = [shared, holding('t2', {})];
  const right = takeAll(empty, held);

  it('finds nothing in what a plan leaves on empty agents', () => {
    fc.assert(
      fc.property(anyPool, (pool) => {
        const agents = pool.agents.map(({ agent }) => ({
          agent,
          ledger: ledgerFromCapacity(agent.agentId, agent.capacity),
        }));
        const asks = new Map(pool.pending.map(({ taskId, resources }) => [taskId, resources]));
        for (const { agentId, tasks, after } of planPlacement({ ...pool, agents }, 0).assignments) {
          const holdings = tasks.map((task) => ({ ...task, resources: asks.get(task.taskId) as Resources }));
          const found = agents.find(({ agent }) => agent.agentId === agentId);
          expect(auditLedger(found?.agent.capacity ?? capacity, after, holdings)).toEqual([]);
        }
      }),
    );
  });

  it.each([
    ['cpu that nobody holds', { ...right, freeCpuMilli: right.freeCpuMilli - 5 }, held, ['LEAKED cpuMilli']],
    ['memory counted twice', { ...right, freeRamMb: right.freeRamMb + 5 }, held, ['UNCOUNTED ramMb']],
    ['a negative amount', { ...right, freeDiskMb: -1 }, held, ['OVER_COMMIT diskMb', 'LEAKED diskMb']],
    ['a task that is gone', right, [shared], ['LEAKED cpuMilli', 'LEAKED ramMb', 'LIVE_WITHOUT_TASK t2']],
    ['a task not in live', { ...right, live: ['t1'] }, held, ['TASK_NOT_LIVE t2']],
    ['a port leaked', { ...right, usedPorts: [31_002, 31_003] }, held, ['LEAKED port 31003']],
    ['a port not counted', { ...right, usedPorts: [] }, held, ['UNCOUNTED port 31002']],
    [
      'a card leaked',
      { ...right, gpus: [{ model: 'T4', freeMilli: 900 }, right.gpus[1] ?? { model: 'V100', freeMilli: 0 }] },
      held,
      ['LEAKED gpu 0'],
    ],
  ])('names %s', (_, ledger, tasks, expected) => {
    expect(auditLedger(capacity, ledger, tasks).map(({ code, what }) => `${code} ${what}`)).toEqual(expected);
  });

  it('expects less than nothing of a card that is held but gone, and no plan gives that card out', () => {
    const agent = sampleAgent('a1', { capacity: { ...capacity, gpus: ['T4'] } }).agent;
    const gpus = right.gpus.map((card, at) => (at === 1 ? { ...card, freeMilli: -400 } : card));
    const ledger = { ...right, gpus };
    const found = auditLedger(agent.capacity, ledger, held).map(({ code, what }) => `${code} ${what}`);
    expect(found).toEqual(['BAD_GRANT t1', 'GPU_DOUBLE_USE gpu 1']);

    const pending = [sampleTask('t3', { resources: sampleResources({ gpus: 1, gpuModels: ['V100'] }) })];
    expect(planPlacement({ agents: [{ agent, ledger }], pending, running: [] }, 0).assignments).toEqual([]);
  });

  it('names more tasks than the agent has room for', () => {
    const tasks = [holding('t1', { cpuMilli: 5000 }), holding('t2', { cpuMilli: 5000 })];
    const ledger = { ...empty, freeCpuMilli: -2000, freeRamMb: empty.freeRamMb - 2048, live: ['t1', 't2'] };

    expect(auditLedger(capacity, ledger, tasks)).toEqual([
      { code: 'OVER_COMMIT', agentId: 'a1', what: 'cpuMilli', expected: 0, found: -2000 },
    ]);
  });

  it('names a card and a port that two tasks hold, and a port out of range', () => {
    const tasks = [
      holding('t1', { gpus: 1, gpuMilli: 700, ports: ['a'] }, { gpus: [[0, 700]], ports: { a: 31_000 } }),
      holding('t2', { gpus: 1, gpuMilli: 700, ports: ['a'] }, { gpus: [[0, 700]], ports: { a: 31_000 } }),
      holding('t3', { ports: ['a'] }, { ports: { a: 40_000 } }),
    ];
    const ledger = {
      ...empty,
      freeCpuMilli: 5000,
      freeRamMb: empty.freeRamMb - 3072,
      gpus: [
        { model: 'T4', freeMilli: 0 },
        { model: 'V100', freeMilli: 1000 },
      ],
      usedPorts: [31_000, 40_000],
      live: ['t1', 't2', 't3'],
    };

    const codes = auditLedger(capacity, ledger, tasks).map(({ code, what }) => `${code} ${what}`);

    expect(codes).toEqual([
      'GPU_DOUBLE_USE gpu 0',
      'UNCOUNTED gpu 0',
      'PORT_DOUBLE_USE port 31000',
      'PORT_OUT_OF_RANGE port 40000',
    ]);
  });

  it('names a grant that is not what its task asked for', () => {
    const tasks = [holding('t1', { gpus: 1, gpuMilli: 1000, gpuModels: ['V100'] }, { gpus: [[0, 1000]] })];
    const ledger = {
      ...empty,
      freeCpuMilli: 7000,
      freeRamMb: empty.freeRamMb - 1024,
      gpus: [
        { model: 'T4', freeMilli: 0 },
        { model: 'V100', freeMilli: 1000 },
      ],
      live: ['t1'],
    };

    expect(auditLedger(capacity, ledger, tasks).map(({ code }) => code)).toEqual(['BAD_GRANT']);
  });
});
