import { describe, expect, it } from 'vitest';
import {
  type AgentSnapshot,
  type PendingTask,
  type PlacementPlan,
  planPlacement,
} from '../../../../shared/domain/placement/index.ts';
import { limit, not, sampleAgent, sampleTask, value } from './sample-fleet.ts';

const now = 1000;

function whereIs(plan: PlacementPlan, taskId: string): string | undefined {
  return plan.assignments.find(({ tasks }) => tasks.some((task) => task.taskId === taskId))?.agentId;
}

function plan(
  agents: AgentSnapshot[],
  pending: PendingTask[],
  running: { jobPath: string; agentId: string }[] = [],
) {
  return planPlacement({ agents, pending, running }, now);
}

describe('a placement plan', () => {
  it('says what the ledger is after it, one version on', () => {
    const agent = sampleAgent('a1', { capacity: { gpus: ['T4'] } });
    const task = sampleTask('t1', { resources: { gpus: 1, gpuMilli: 250, ports: ['http'] } });

    const { assignments, unplaced } = plan([agent], [task]);

    expect(unplaced).toEqual([]);
    expect(assignments).toHaveLength(1);
    const [one] = assignments;
    const port = one?.tasks[0]?.grant.ports.http as number;
    expect(one).toEqual({
      agentId: 'a1',
      ledgerVersion: 1,
      tasks: [{ taskId: 't1', grant: { gpus: [[0, 250]], ports: { http: port } } }],
      after: {
        agentId: 'a1',
        version: 2,
        freeCpuMilli: 7000,
        freeRamMb: 15_360,
        freeDiskMb: 10_000,
        gpus: [{ model: 'T4', freeMilli: 750 }],
        usedPorts: [port],
        live: ['t1'],
      },
    });
  });

  it('serves priority, then age, then job, then instance', () => {
    const agent = sampleAgent('a1', { capacity: { cpuMilli: 4000 } });
    const late = sampleTask('late', { createdAt: 9 });
    const urgent = sampleTask('urgent', { createdAt: 99, priority: 1 });
    const otherJob = sampleTask('otherJob', { createdAt: 1, jobPath: 'zz/prod/job' });
    const second = sampleTask('second', { createdAt: 1, instance: 10 });
    const first = sampleTask('first', { createdAt: 1, instance: 2 });

    const { assignments, unplaced } = plan([agent], [late, otherJob, second, urgent, first]);

    expect(assignments[0]?.tasks.map(({ taskId }) => taskId)).toEqual([
      'urgent',
      'first',
      'second',
      'otherJob',
    ]);
    expect(unplaced.map(({ taskId }) => taskId)).toEqual(['late']);
  });

  it('passes over an ask that fits nowhere and places the next', () => {
    const huge = sampleTask('huge', { priority: 9, resources: { cpuMilli: 900_000 } });

    const result = plan([sampleAgent('a1')], [huge, sampleTask('t1')]);

    expect(whereIs(result, 't1')).toBe('a1');
    expect(result.unplaced).toHaveLength(1);
    expect(result.unplaced[0]?.reason).toEqual({
      verdict: 'neverFits',
      agents: 1,
      counts: [{ code: 'CPU', agents: 1 }],
      nearest: { agentId: 'a1', reasons: [{ code: 'CPU', needed: 900_000, available: 7000 }] },
      at: now,
    });
  });

  it('tells no room now from never, counts per code and names the nearest agent with numbers', () => {
    const agents = [
      sampleAgent('a1', { capacity: { cpuMilli: 2000 } }),
      sampleAgent('a2', { mode: 'DRAINING' }),
      sampleAgent('a3', { attributes: { dedicated: ['x/y'] } }),
      sampleAgent('a4', { attributes: { zone: ['z'] } }),
      sampleAgent('a5', { capacity: { cpuMilli: 2500, ramMb: 512 } }),
    ];
    const task = sampleTask('t1', { constraints: [not('zone', 'z')], resources: { cpuMilli: 3000 } });

    const { unplaced } = plan(agents, [task]);

    expect(unplaced[0]?.reason).toEqual({
      verdict: 'waiting',
      agents: 5,
      counts: [
        { code: 'CPU', agents: 2 },
        { code: 'MAINTENANCE', agents: 1 },
        { code: 'DEDICATED', attribute: 'dedicated', agents: 1 },
        { code: 'CONSTRAINT', attribute: 'zone', agents: 1 },
      ].sort((a, b) => b.agents - a.agents || 0) as never,
      nearest: {
        agentId: 'a5',
        reasons: [
          { code: 'CPU', needed: 3000, available: 2500 },
          { code: 'RAM', needed: 1024, available: 512 },
        ],
      },
      at: now,
    });
  });

  it('says so when the pool has no agents', () => {
    expect(plan([], [sampleTask('t1')]).unplaced[0]?.reason).toEqual({
      verdict: 'waiting',
      agents: 0,
      counts: [{ code: 'NO_AGENTS', agents: 0 }],
      at: now,
    });
  });

  it('shares one reason among the tasks of one shape, and none across shapes', () => {
    const big = { resources: { cpuMilli: 900_000 } };
    const tasks = [
      sampleTask('t1', big),
      sampleTask('t2', { ...big, jobPath: 'other/prod/job' }),
      sampleTask('t3', { ...big, constraints: [limit('host', 1)] }),
      sampleTask('t4', { ...big, constraints: [limit('host', 1)], jobPath: 'other/prod/job' }),
    ];

    const { unplaced } = plan([sampleAgent('a1', { attributes: { host: ['a1'] } })], tasks);

    const keys = new Map(unplaced.map(({ taskId, shapeKey }) => [taskId, shapeKey]));
    const reasons = new Map(unplaced.map(({ taskId, reason }) => [taskId, reason]));
    expect(keys.get('t2')).toBe(keys.get('t1'));
    expect(reasons.get('t2')).toBe(reasons.get('t1'));
    expect(new Set(keys.values()).size).toBe(3);
  });

  it('counts tasks placed earlier in the same plan, of any config of the job, against a limit', () => {
    const agents = ['a1', 'a2'].map((id) => sampleAgent(id, { attributes: { rack: ['r1'], host: [id] } }));
    const free = sampleTask('free', { priority: 5, resources: { cpuMilli: 500 } });
    const bound = ['b1', 'b2', 'b3'].map((id, instance) =>
      sampleTask(id, { instance, constraints: [limit('rack', 2)] }),
    );

    const { assignments, unplaced } = plan(agents, [free, ...bound]);

    expect(assignments.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)).sort()).toEqual([
      'b1',
      'free',
    ]);
    expect(unplaced.map(({ taskId }) => taskId)).toEqual(['b2', 'b3']);
    expect(unplaced[0]?.reason.nearest?.reasons).toEqual([
      { code: 'LIMIT', attribute: 'rack', needed: 3, available: 2 },
    ]);
    expect(unplaced[0]?.reason.verdict).toBe('waiting');
  });

  it('counts what runs already, and not what runs for other jobs or on agents it does not know', () => {
    const agents = ['a1', 'a2'].map((id) => sampleAgent(id, { attributes: { host: [id] } }));
    const task = sampleTask('t1', { constraints: [limit('host', 1)] });
    const running = [
      { jobPath: task.jobPath, agentId: 'a1' },
      { jobPath: task.jobPath, agentId: 'gone' },
      { jobPath: 'other/prod/job', agentId: 'a2' },
    ];

    expect(whereIs(plan(agents, [task], running), 't1')).toBe('a2');
  });

  it('spreads a job over hosts as its limit says', () => {
    const agents = Array.from({ length: 40 }, (_, at) =>
      sampleAgent(`a${at}`, { attributes: { host: [`a${at}`] } }),
    );
    const tasks = Array.from({ length: 100 }, (_, instance) =>
      sampleTask(`t${instance}`, { instance, constraints: [limit('host', 2)] }),
    );

    const { assignments, unplaced } = plan(agents, tasks);

    expect(assignments.map((assignment) => assignment.tasks.length)).toEqual(Array(40).fill(2));
    expect(unplaced).toHaveLength(20);
  });

  it('uses agents with announced maintenance last', () => {
    const agents = [
      sampleAgent('a1', { mode: 'SCHEDULED', capacity: { cpuMilli: 1000 } }),
      sampleAgent('a2'),
    ];
    const tasks = Array.from({ length: 9 }, (_, instance) => sampleTask(`t${instance}`, { instance }));

    const result = plan(agents, tasks);

    expect(whereIs(result, 't7')).toBe('a2');
    expect(whereIs(result, 't8')).toBe('a1');
  });

  it('finds the one agent that a rare attribute allows', () => {
    const agents = Array.from({ length: 50 }, (_, at) =>
      sampleAgent(`a${at}`, { attributes: { host: [`a${at}`] } }),
    );
    const tasks = [sampleTask('t1', { constraints: [value('host', 'a33')] })];

    expect(whereIs(plan(agents, tasks), 't1')).toBe('a33');
  });

  it('packs shares of cards together and keeps whole cards whole', () => {
    const agent = sampleAgent('a1', { capacity: { gpus: ['T4', 'T4', 'T4', 'T4'] } });
    const shares = [500, 300, 200, 500, 500].map((gpuMilli, instance) =>
      sampleTask(`s${instance}`, { instance, resources: { cpuMilli: 100, gpus: 1, gpuMilli } }),
    );
    const whole = sampleTask('whole', {
      createdAt: 1,
      resources: { cpuMilli: 100, gpus: 2, gpuMilli: 1000 },
    });

    const { assignments, unplaced } = plan([agent], [...shares, whole]);

    expect(unplaced).toEqual([]);
    expect(assignments[0]?.after.gpus.map(({ freeMilli }) => freeMilli)).toEqual([0, 0, 0, 0]);
  });

  it('keeps tasks without GPUs off agents with free cards while others have room', () => {
    const agents = [
      sampleAgent('a1', { capacity: { gpus: ['T4'] } }),
      sampleAgent('a2', { capacity: { cpuMilli: 2000 } }),
    ];
    const tasks = ['t1', 't2', 't3'].map((id, instance) => sampleTask(id, { instance }));

    const result = plan(agents, tasks);

    expect(['t1', 't2', 't3'].map((id) => whereIs(result, id))).toEqual(['a2', 'a2', 'a1']);
  });

  it('puts them there once the cards are taken, if that leaves the pool fuller', () => {
    const agents = [sampleAgent('a1', { capacity: { gpus: ['T4'] } }), sampleAgent('a2')];
    const card = sampleTask('card', { priority: 1, resources: { gpus: 1, gpuMilli: 1000 } });

    const result = plan(agents, [card, sampleTask('t1')]);

    expect(whereIs(result, 't1')).toBe('a1');
  });

  it('gives ports in turn: none twice, none in use, and not at once again those just given back', () => {
    const fresh = sampleAgent('a1', { capacity: { portRange: [31_000, 31_999] } });
    const busy = { ...fresh, ledger: { ...fresh.ledger, version: 7, usedPorts: [31_448, 31_449] } };
    const task = sampleTask('t1', { resources: { ports: ['http', 'admin', '__proto__'] } });
    const portsOf = (agent: AgentSnapshot): number[] =>
      Object.values(plan([agent], [task]).assignments[0]?.tasks[0]?.grant.ports ?? {});

    const first = portsOf(busy);
    const second = portsOf({ ...busy, ledger: { ...busy.ledger, version: 9 } });

    expect(new Set([...first, ...second, 31_448, 31_449]).size).toBe(8);
    expect([...first, ...second].every((port) => port >= 31_000 && port <= 31_999)).toBe(true);
  });

  it('gives the last free ports of a small range', () => {
    const agent = sampleAgent('a1', { capacity: { portRange: [31_000, 31_002] } });
    const used = { ...agent, ledger: { ...agent.ledger, usedPorts: [31_001] } };
    const tasks = ['t1', 't2', 't3'].map((id, instance) =>
      sampleTask(id, { instance, resources: { ports: ['http'] } }),
    );

    const { assignments, unplaced } = plan([used], tasks);

    expect(assignments[0]?.after.usedPorts.toSorted()).toEqual([31_000, 31_001, 31_002]);
    expect(unplaced[0]?.reason.nearest?.reasons).toEqual([{ code: 'PORTS', needed: 1, available: 0 }]);
  });
});

describe('packing', () => {
  /** Four agents with two cards and much cpu, one with eight cards and little. */
  const agents = [
    ...['a1', 'a2', 'a3', 'a4'].map((id) =>
      sampleAgent(id, { capacity: { cpuMilli: 50_000, gpus: ['T4', 'T4'] } }),
    ),
    sampleAgent('b1', { capacity: { cpuMilli: 32_000, gpus: Array.from({ length: 8 }, () => 'T4') } }),
  ];
  const tasks = [4000, 25_000].flatMap((cpuMilli, createdAt) =>
    Array.from({ length: 8 }, (_, instance) =>
      sampleTask(`${cpuMilli}-${instance}`, {
        createdAt,
        instance,
        resources: { cpuMilli, ramMb: 100, gpus: 1, gpuMilli: 1000 },
      }),
    ),
  );

  function firstFit(): number {
    const free = agents.map(({ agent }) => ({
      cpu: agent.capacity.cpuMilli,
      cards: agent.capacity.gpus.length,
    }));
    let placed = 0;
    for (const { resources } of tasks) {
      const room = free.find(({ cpu, cards }) => cpu >= resources.cpuMilli && cards > 0);
      if (!room) continue;
      room.cpu -= resources.cpuMilli;
      room.cards--;
      placed++;
    }
    return placed;
  }

  it('leaves cpu where the waiting tasks need it beside cards, where first fit does not', () => {
    expect(firstFit()).toBe(9);
    expect(plan(agents, tasks).unplaced).toEqual([]);
  });
});
