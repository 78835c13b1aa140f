import { describe, expect, it } from 'vitest';
import { auditFleet } from '../../../cli/replay/audit.ts';
import { auditHistory } from '../../../cli/replay/audit-history.ts';
import type { AgentView, TaskView } from '../../../shared/api/views.ts';
import { taskView } from '../support/fake-api.ts';

const at = (second: number): string => new Date(second * 1000).toISOString();

function agent(agentId: string, tasks: readonly TaskView[] = []): AgentView {
  const own = tasks.filter((task) => task.agentId === agentId);
  const sum = (pick: (task: TaskView) => number): number =>
    own.reduce((total, task) => total + pick(task), 0);
  const gpuMilli = [1000, 1000].map(
    (all, device) =>
      all -
      sum(({ grant }) => (grant?.gpus ?? []).reduce((n, [d, milli]) => n + (d === device ? milli : 0), 0)),
  );
  return {
    agentId,
    host: agentId,
    pool: 'default',
    version: 'test',
    mode: 'NONE',
    drain: null,
    attributes: {},
    capacity: {
      cpuMilli: 4000,
      ramMb: 8192,
      diskMb: 10_000,
      gpus: ['T4', 'T4'],
      portRange: [31_000, 32_000],
    },
    registeredAt: at(0),
    presence: 'present',
    lastSeenAt: at(0),
    free: {
      cpuMilli: 4000 - sum(({ resources }) => resources.cpuMilli),
      ramMb: 8192 - sum(({ resources }) => resources.ramMb),
      diskMb: 10_000 - sum(({ resources }) => resources.diskMb),
      gpuMilli,
    },
    tasks: own.map(({ taskId }) => taskId),
  };
}

interface Placed {
  readonly instance: number;
  readonly cpuMilli?: number;
  readonly gpu?: readonly [device: number, milli: number];
  readonly agentId?: string;
  readonly from?: number;
  readonly to?: number;
}

function placed({ instance, cpuMilli = 1000, gpu, agentId = 'a', from = 1, to }: Placed): TaskView {
  return taskView(instance, to === undefined ? 'ASSIGNED' : 'FINISHED', {
    agentId,
    resources: {
      cpuMilli,
      ramMb: 128,
      diskMb: 0,
      gpus: gpu ? 1 : 0,
      gpuMilli: gpu?.[1] ?? 0,
      gpuModels: [],
      ports: [],
    },
    grant: { gpus: gpu ? [[...gpu]] : [], ports: {} },
    events: [
      { state: 'PENDING', at: at(0), message: '' },
      { state: 'ASSIGNED', at: at(from), message: '' },
      ...(to === undefined ? [] : [{ state: 'FINISHED' as const, at: at(to), message: '' }]),
    ],
  });
}

describe('the audit of a moment', () => {
  it('finds nothing when all fits and the ledgers agree', () => {
    const tasks = [
      placed({ instance: 0, gpu: [0, 460] }),
      placed({ instance: 1, gpu: [0, 540] }),
      placed({ instance: 2, cpuMilli: 2000 }),
    ];
    expect(auditFleet([agent('a', tasks), agent('b')], tasks)).toEqual({
      overCommitted: [],
      mismatched: [],
      findings: [],
      tasksCounted: 3,
    });
  });

  it('finds CPU given out beyond what there is, whatever the ledger says', () => {
    const tasks = [placed({ instance: 0, cpuMilli: 3000 }), placed({ instance: 1, cpuMilli: 1001 })];
    const lying = { ...agent('a', tasks), free: { ...agent('a').free, cpuMilli: 0 } };
    expect(auditFleet([lying], tasks).overCommitted).toEqual(['a']);
  });

  it('finds one card given out twice although the sum over all cards fits', () => {
    const tasks = [placed({ instance: 0, gpu: [0, 600] }), placed({ instance: 1, gpu: [0, 600] })];
    const { overCommitted, findings } = auditFleet([agent('a', tasks)], tasks);
    expect(overCommitted).toEqual(['a']);
    expect(findings.join()).toContain('gpu 0');
  });

  it('finds a grant that is not what the task asks for, and a card that is not there', () => {
    const without = { ...placed({ instance: 0, gpu: [0, 500] }), grant: { gpus: [], ports: {} } };
    expect(auditFleet([agent('a', [without])], [without]).overCommitted).toEqual(['a']);
    const elsewhere = placed({ instance: 1, gpu: [7, 500] });
    expect(auditFleet([agent('a', [elsewhere])], [elsewhere]).overCommitted).toEqual(['a']);
  });

  it('finds tasks on an agent nobody registered', () => {
    expect(auditFleet([], [placed({ instance: 0 })]).overCommitted).toEqual(['a']);
  });

  it('tells a ledger that differs from an over-committed agent', () => {
    const tasks = [placed({ instance: 0 })];
    const { overCommitted, mismatched } = auditFleet([agent('a')], tasks);
    expect([overCommitted, mismatched]).toEqual([[], ['a']]);
  });

  it('leaves ended tasks out', () => {
    const ended = placed({ instance: 0, cpuMilli: 4000, to: 2 });
    const live = placed({ instance: 1, cpuMilli: 4000 });
    expect(auditFleet([agent('a', [live])], [ended, live]).overCommitted).toEqual([]);
  });
});

describe('the audit of a history', () => {
  const fleet = [agent('a')];

  it('finds nothing when one task ends before the next begins, also in the same millisecond', () => {
    const tasks = [
      placed({ instance: 0, cpuMilli: 4000, gpu: [1, 1000], from: 1, to: 5 }),
      placed({ instance: 1, cpuMilli: 4000, gpu: [1, 1000], from: 5 }),
    ];
    expect(auditHistory(fleet, tasks)).toMatchObject({ overCommitted: [], tasksCounted: 2 });
  });

  it('finds an overlap in the past that no longer shows at the end', () => {
    const tasks = [
      placed({ instance: 0, cpuMilli: 3000, from: 1, to: 5 }),
      placed({ instance: 1, cpuMilli: 3000, from: 4, to: 6 }),
    ];
    const { overCommitted, findings } = auditHistory(fleet, tasks);
    expect(overCommitted).toEqual(['a']);
    expect(findings[0]).toContain('6000 cpuMilli of 4000 at 1970-01-01T00:00:04');
  });

  it('finds one card given out twice at a time', () => {
    const tasks = [
      placed({ instance: 0, gpu: [1, 700], from: 1, to: 5 }),
      placed({ instance: 1, gpu: [1, 700], from: 4, to: 6 }),
    ];
    expect(auditHistory(fleet, tasks).overCommitted).toEqual(['a']);
  });
});
