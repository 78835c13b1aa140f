import { describe, expect, it } from 'vitest';
import { couldEverTake, type LimitCount, vetoes } from '../../../../shared/domain/placement/index.ts';
import type { Reason } from '../../../../shared/model/reason.ts';
import type { Resources } from '../../../../shared/model/resources.ts';
import type { Constraint } from '../../../../shared/model/task-config.ts';
import { limit, not, sampleAgent, sampleResources, value } from './sample-fleet.ts';

const noCounts: LimitCount = () => 0;

interface Row {
  readonly name: string;
  readonly agent?: Parameters<typeof sampleAgent>[1];
  readonly constraints?: Constraint[];
  readonly resources?: Partial<Resources>;
  readonly counts?: LimitCount;
  readonly expected: readonly Reason[];
  /** Whether it could run there were the agent empty and open; by default: if there is no veto. */
  readonly ever?: boolean;
}

const inZoneX = { attributes: { zone: ['x'] } };
const rows: readonly Row[] = [
  { name: 'an agent with room takes a plain task', expected: [] },
  {
    name: 'one listed value is enough',
    agent: inZoneX,
    constraints: [value('zone', 'y', 'x')],
    expected: [],
  },
  {
    name: 'one of several values of the agent is enough',
    agent: { attributes: { zone: ['x', 'y'] } },
    constraints: [value('zone', 'y')],
    expected: [],
  },
  {
    name: 'no listed value fails',
    agent: inZoneX,
    constraints: [value('zone', 'y', 'z')],
    expected: [{ code: 'CONSTRAINT', attribute: 'zone' }],
  },
  {
    name: 'a wanted value fails on an agent that lacks the attribute',
    constraints: [value('zone', 'x')],
    expected: [{ code: 'CONSTRAINT', attribute: 'zone' }],
  },
  {
    name: 'an attribute named like a built-in property is lacking, not inherited',
    constraints: [value('constructor', 'x'), not('toString', 'y')],
    expected: [{ code: 'CONSTRAINT', attribute: 'constructor' }],
  },
  {
    name: 'a negated value fails on an agent that has it among others',
    agent: { attributes: { zone: ['x', 'y'] } },
    constraints: [not('zone', 'y', 'z')],
    expected: [{ code: 'CONSTRAINT', attribute: 'zone' }],
  },
  {
    name: 'a negated value passes on other values',
    agent: inZoneX,
    constraints: [not('zone', 'y')],
    expected: [],
  },
  {
    name: 'a negated value passes on an agent that lacks the attribute',
    constraints: [not('zone', 'x')],
    expected: [],
  },
  {
    name: 'a limit passes below its number',
    agent: inZoneX,
    constraints: [limit('zone', 2)],
    counts: () => 1,
    expected: [],
  },
  {
    name: 'a limit fails at its number',
    agent: inZoneX,
    constraints: [limit('zone', 2)],
    counts: () => 2,
    expected: [{ code: 'LIMIT', attribute: 'zone', needed: 3, available: 2 }],
    ever: true,
  },
  {
    name: 'a limit looks at every value of the agent',
    agent: { attributes: { zone: ['x', 'y'] } },
    constraints: [limit('zone', 1)],
    counts: (_, of) => (of === 'y' ? 1 : 0),
    expected: [{ code: 'LIMIT', attribute: 'zone', needed: 2, available: 1 }],
    ever: true,
  },
  {
    name: 'a limit on an attribute the agent lacks is a constraint that fails',
    constraints: [limit('rack', 1)],
    expected: [{ code: 'CONSTRAINT', attribute: 'rack' }],
  },
  {
    name: 'value constraints are tested before limits, whatever their order',
    agent: inZoneX,
    constraints: [limit('zone', 1), value('zone', 'y')],
    counts: () => 9,
    expected: [{ code: 'CONSTRAINT', attribute: 'zone' }],
  },
  {
    name: 'a dedicated agent refuses tasks that do not ask for it',
    agent: { attributes: { dedicated: ['ads/x'] } },
    expected: [{ code: 'DEDICATED', attribute: 'dedicated' }],
  },
  {
    name: 'a dedicated agent takes a task with exactly its value',
    agent: { attributes: { dedicated: ['ads/x'] } },
    constraints: [value('dedicated', 'ads/x')],
    expected: [],
  },
  {
    name: 'a dedicated agent refuses a task with another value',
    agent: { attributes: { dedicated: ['ads/x'] } },
    constraints: [value('dedicated', 'ads')],
    expected: [{ code: 'CONSTRAINT', attribute: 'dedicated' }],
  },
  {
    name: 'asking not for a dedicated value is not asking for dedicated agents',
    agent: { attributes: { dedicated: ['ads/x'] } },
    constraints: [not('dedicated', 'ads/y')],
    expected: [{ code: 'DEDICATED', attribute: 'dedicated' }],
  },
  {
    name: 'a task that asks for dedicated agents stays off the others',
    constraints: [value('dedicated', 'ads/x')],
    expected: [{ code: 'CONSTRAINT', attribute: 'dedicated' }],
  },
  { name: 'SCHEDULED maintenance vetoes nothing', agent: { mode: 'SCHEDULED' }, expected: [] },
  { name: 'DRAINING vetoes', agent: { mode: 'DRAINING' }, expected: [{ code: 'MAINTENANCE' }], ever: true },
  { name: 'DRAINED vetoes', agent: { mode: 'DRAINED' }, expected: [{ code: 'MAINTENANCE' }], ever: true },
  {
    name: 'dedicated comes before maintenance',
    agent: { mode: 'DRAINED', attributes: { dedicated: ['ads/x'] } },
    expected: [{ code: 'DEDICATED', attribute: 'dedicated' }],
  },
  {
    name: 'maintenance comes before constraints and hides resources',
    agent: { mode: 'DRAINED' },
    constraints: [value('zone', 'x')],
    resources: { cpuMilli: 99_000 },
    expected: [{ code: 'MAINTENANCE' }],
    ever: false,
  },
  {
    name: 'every short resource is named with its numbers',
    resources: { cpuMilli: 8001, ramMb: 16_385, diskMb: 10_001 },
    expected: [
      { code: 'CPU', needed: 8001, available: 8000 },
      { code: 'RAM', needed: 16_385, available: 16_384 },
      { code: 'DISK', needed: 10_001, available: 10_000 },
    ],
  },
  {
    name: 'ports are counted by distinct names',
    agent: { capacity: { portRange: [31_000, 31_000] } },
    resources: { ports: ['a', 'b', 'a'] },
    expected: [{ code: 'PORTS', needed: 2, available: 1 }],
  },
  {
    name: 'an exact fit is a fit',
    agent: { capacity: { portRange: [31_000, 31_001], gpus: ['T4'] } },
    resources: { cpuMilli: 8000, ramMb: 16_384, diskMb: 10_000, gpus: 1, gpuMilli: 1000, ports: ['a', 'b'] },
    expected: [],
  },
  {
    name: 'no card at all',
    resources: { gpus: 1, gpuMilli: 500 },
    expected: [{ code: 'GPU', needed: 500, available: 0 }],
  },
  {
    name: 'no card of an acceptable model',
    agent: { capacity: { gpus: ['T4'] } },
    resources: { gpus: 2, gpuMilli: 1000, gpuModels: ['V100'] },
    expected: [{ code: 'GPU_MODEL', needed: 2000, available: 0 }],
  },
  {
    name: 'too few cards of an acceptable model',
    agent: { capacity: { gpus: ['T4', 'V100', 'V100'] } },
    resources: { gpus: 3, gpuMilli: 1000, gpuModels: ['V100', 'P100'] },
    expected: [{ code: 'GPU', needed: 3000, available: 2000 }],
  },
  {
    name: 'an acceptable model among others is found',
    agent: { capacity: { gpus: ['T4', 'V100'] } },
    resources: { gpus: 1, gpuMilli: 300, gpuModels: ['V100'] },
    expected: [],
  },
];

describe('the filters of placement', () => {
  it.each(rows)('$name', ({ agent, constraints = [], resources, counts = noCounts, expected, ever }) => {
    const snapshot = sampleAgent('a1', agent);
    const ask = { resources: sampleResources(resources), constraints };

    expect(vetoes(ask, snapshot, counts)).toEqual(expected);
    expect(couldEverTake(ask, snapshot.agent)).toBe(ever ?? expected.length === 0);
  });

  const halfFree = {
    ...sampleAgent('a1', { capacity: { gpus: ['T4', 'T4', 'T4'] } }),
  };
  const partly = {
    agent: halfFree.agent,
    ledger: {
      ...halfFree.ledger,
      gpus: [400, 600, 1000].map((freeMilli) => ({ model: 'T4', freeMilli })),
    },
  };
  it.each([
    ['a share that fits a partly used card', { gpus: 1, gpuMilli: 600 }, []],
    [
      'whole cards only on fully free cards',
      { gpus: 2, gpuMilli: 1000 },
      [{ code: 'GPU', needed: 2000, available: 1000 }],
    ],
    ['one whole card where one is free', { gpus: 1, gpuMilli: 1000 }, []],
    [
      'no share named means a whole card',
      { gpus: 2, gpuMilli: 0 },
      [{ code: 'GPU', needed: 2000, available: 1000 }],
    ],
  ] as const)('judges %s', (_, gpu, expected) => {
    const ask = { resources: sampleResources(gpu), constraints: [] };

    expect(vetoes(ask, partly, noCounts)).toEqual(expected);
    expect(couldEverTake(ask, partly.agent)).toBe(true);
  });

  it('does not add up the shares of several cards', () => {
    const ledger = { ...partly.ledger, gpus: partly.ledger.gpus.slice(0, 2) };
    const ask = { resources: sampleResources({ gpus: 1, gpuMilli: 700 }), constraints: [] };

    expect(vetoes(ask, { agent: partly.agent, ledger }, noCounts)).toEqual([
      { code: 'GPU', needed: 700, available: 600 },
    ]);
  });
});
