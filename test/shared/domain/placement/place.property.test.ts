// What must hold of every plan, on thousands of small random pools; filter.ts is the measure of what is allowed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distance } from '../../../../shared/domain/placement/explain.ts';
import { Fleet } from '../../../../shared/domain/placement/fleet.ts';
import {
  type AgentSnapshot,
  attributeValues,
  couldEverTake,
  inPlanningOrder,
  type LimitCount,
  type PendingTask,
  type PlacementOptions,
  type PlacementPlan,
  type PlacementSnapshot,
  planPlacement,
  take,
  takeAll,
  vetoes,
} from '../../../../shared/domain/placement/index.ts';
import { Ranker } from '../../../../shared/domain/placement/rank.ts';
import { typicalAsks } from '../../../../shared/domain/placement/stranded.ts';
import type { Grant } from '../../../../shared/model/resources.ts';
import { anyPool, limit, not, sampleAgent, sampleTask, value } from './sample-fleet.ts';

const numRuns = 400;

/** Limits checked by group or agent by agent, demands with and without lanes: the plan must not differ in kind. */
const anyOptions: fc.Arbitrary<PlacementOptions> = fc.record({
  mostGroups: fc.constantFrom(1, 1, 4, 1024),
  mostLaneCells: fc.constantFrom(0, 20, 1_000_000),
});

/** The pool as it is while a plan is carried out step by step. */
class Replay {
  readonly ledgers: Map<string, AgentSnapshot>;
  readonly placed: { jobPath: string; agentId: string }[];

  constructor({ agents, running }: PlacementSnapshot) {
    this.ledgers = new Map(agents.map((snapshot) => [snapshot.agent.agentId, snapshot]));
    this.placed = [...running];
  }

  countsFor(jobPath: string): LimitCount {
    return (attribute, wanted) =>
      this.placed.filter((task) => {
        const attributes = this.ledgers.get(task.agentId)?.agent.attributes;
        return (
          task.jobPath === jobPath && attributes && attributeValues(attributes, attribute).includes(wanted)
        );
      }).length;
  }

  vetoesOf(task: PendingTask, agentId: string): ReturnType<typeof vetoes> {
    return vetoes(task, this.ledgers.get(agentId) as AgentSnapshot, this.countsFor(task.jobPath));
  }

  place({ taskId, jobPath, resources }: PendingTask, agentId: string, grant: Grant): void {
    const snapshot = this.ledgers.get(agentId) as AgentSnapshot;
    this.ledgers.set(agentId, { ...snapshot, ledger: take(snapshot.ledger, resources, grant, taskId) });
    this.placed.push({ jobPath, agentId });
  }
}

function given(plan: PlacementPlan): Map<string, { agentId: string; grant: Grant }> {
  return new Map(
    plan.assignments.flatMap(({ agentId, tasks }) =>
      tasks.map(({ taskId, grant }) => [taskId, { agentId, grant }] as const),
    ),
  );
}

function carriedOut(pool: PlacementSnapshot, plan: PlacementPlan): Replay {
  const replay = new Replay(pool);
  const where = given(plan);
  for (const task of inPlanningOrder(pool.pending)) {
    const place = where.get(task.taskId);
    if (place) replay.place(task, place.agentId, place.grant);
  }
  return replay;
}

describe('every placement plan', () => {
  it('decides each task exactly once and each agent at most once', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const plan = planPlacement(pool, 0, options);
        const ids = [
          ...plan.assignments.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)),
          ...plan.unplaced.map(({ taskId }) => taskId),
        ];
        expect(ids.sort()).toEqual(pool.pending.map(({ taskId }) => taskId).sort());
        const agentIds = plan.assignments.map(({ agentId }) => agentId);
        expect(new Set(agentIds).size).toBe(agentIds.length);
      }),
      { numRuns },
    );
  });

  it('places a task only where no filter vetoes at its turn: resources, constraints, limits, modes', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const where = given(planPlacement(pool, 0, options));
        const replay = new Replay(pool);
        for (const task of inPlanningOrder(pool.pending)) {
          const place = where.get(task.taskId);
          if (!place) continue;
          expect(replay.vetoesOf(task, place.agentId)).toEqual([]);
          replay.place(task, place.agentId, place.grant);
        }
      }),
      { numRuns },
    );
  });

  it('ends in the ledgers it says, ports inside the range', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const plan = planPlacement(pool, 0, options);
        const asks = new Map(pool.pending.map((task) => [task.taskId, task.resources]));
        for (const { agentId, ledgerVersion, tasks, after } of plan.assignments) {
          const { agent, ledger } = pool.agents.find((one) => one.agent.agentId === agentId) as AgentSnapshot;
          const holdings = tasks.map(({ taskId, grant }) => ({
            taskId,
            grant,
            resources: asks.get(taskId) as PendingTask['resources'],
          }));
          expect(ledgerVersion).toBe(ledger.version);
          expect(after).toEqual({ ...takeAll(ledger, holdings), version: ledger.version + 1 });
          const [lowest, highest] = agent.capacity.portRange;
          expect(after.usedPorts.every((port) => port >= lowest && port <= highest)).toBe(true);
        }
      }),
      { numRuns },
    );
  });

  it('leaves nothing waiting that an agent could take, and no later task of a shape before an earlier one', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const plan = planPlacement(pool, 0, options);
        const where = given(plan);
        const replay = new Replay(pool);
        const left = new Set<string>();
        const shapes = new Map(plan.unplaced.map(({ taskId, shapeKey }) => [taskId, shapeKey]));
        for (const task of inPlanningOrder(pool.pending)) {
          const place = where.get(task.taskId);
          const text = JSON.stringify([task.resources, task.constraints, task.jobPath]);
          if (place) {
            expect(left.has(text)).toBe(false);
            replay.place(task, place.agentId, place.grant);
            continue;
          }
          left.add(text);
          expect(shapes.has(task.taskId)).toBe(true);
          for (const { agent } of pool.agents) expect(replay.vetoesOf(task, agent.agentId)).not.toEqual([]);
        }
      }),
      { numRuns },
    );
  });

  it('tells the truth about why a task waits', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const plan = planPlacement(pool, 42, options);
        const replay = carriedOut(pool, plan);
        const tasks = new Map(pool.pending.map((task) => [task.taskId, task]));
        for (const { taskId, reason } of plan.unplaced) {
          const task = tasks.get(taskId) as PendingTask;
          const all = pool.agents.map(({ agent }) => ({
            agentId: agent.agentId,
            reasons: replay.vetoesOf(task, agent.agentId),
          }));
          const ever =
            pool.agents.length === 0 || pool.agents.some(({ agent }) => couldEverTake(task, agent));
          expect(reason.verdict).toBe(ever ? 'waiting' : 'neverFits');
          expect(reason.at).toBe(42);
          expect(reason.agents).toBe(pool.agents.length);
          for (const { code, attribute, agents } of reason.counts) {
            const same = all.filter(
              ({ reasons: [first] }) => first?.code === code && first.attribute === attribute,
            );
            expect(agents).toBe(same.length);
          }
          expect(reason.counts.reduce((sum, { agents }) => sum + agents, 0)).toBe(pool.agents.length);
          const nearest = all
            .toSorted((a, b) => (a.agentId < b.agentId ? -1 : 1))
            .reduce<(typeof all)[number] | undefined>(
              (best, one) => (best && distance(best.reasons) <= distance(one.reasons) ? best : one),
              undefined,
            );
          expect(reason.nearest).toEqual(nearest);
        }
      }),
      { numRuns },
    );
  });

  it('is the same for the same pool, in whatever order it is given, and changes none of it', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        const copy = structuredClone(pool);
        const plan = planPlacement(pool, 7, options);
        expect(pool).toEqual(copy);
        const reversed = {
          agents: pool.agents.toReversed(),
          pending: pool.pending.toReversed(),
          running: pool.running,
        };
        expect(planPlacement(reversed, 7, options)).toEqual(plan);
      }),
      { numRuns },
    );
  });
});

/** The plan made the slow way: for each task, the best score among all agents that no filter vetoes. */
function slowPlan(pool: PlacementSnapshot, options: PlacementOptions): Map<string, string> {
  const fleet = new Fleet(pool.agents);
  const order = inPlanningOrder(pool.pending);
  const kinds = new Map<string, { demand: ReturnType<Fleet['demandOf']>; count: number }>();
  const kindOf = (task: PendingTask) => {
    const { ports: _, ...amounts } = task.resources;
    const gpuMilli = amounts.gpus === 1 && amounts.gpuMilli === 0 ? 1000 : amounts.gpuMilli;
    const models = amounts.gpus === 0 ? [] : amounts.gpuModels.toSorted();
    const key = JSON.stringify([{ ...amounts, gpuMilli, gpuModels: models }]);
    const kind = kinds.get(key) ?? { demand: fleet.demandOf(task.resources), count: 0 };
    kinds.set(key, kind);
    return kind;
  };
  for (const task of order) kindOf(task).count++;
  const ranker = new Ranker(fleet, typicalAsks(kinds.values()));
  const replay = new Replay(pool);
  const where = given(planPlacement(pool, 0, options));
  const result = new Map<string, string>();
  for (const task of order) {
    const { demand } = kindOf(task);
    let best: { at: number; score: number } | undefined;
    for (const [at, { agent }] of fleet.snapshots.entries()) {
      if (replay.vetoesOf(task, agent.agentId).length > 0) continue;
      const score = ranker.score(at, demand, new Map());
      if (!best || score < best.score) best = { at, score };
    }
    if (!best) continue;
    const { agentId } = (fleet.snapshots[best.at] as AgentSnapshot).agent;
    result.set(task.taskId, agentId);
    fleet.take(best.at, demand, new Set(task.resources.ports).size, ranker.bestCard(best.at, demand));
    // Cards and ports are the plan's own choice; only the agent is compared.
    const place = where.get(task.taskId);
    if (place?.agentId !== agentId) return result;
    replay.place(task, agentId, place.grant);
  }
  return result;
}

function agentsOf(plan: PlacementPlan): Map<string, string> {
  return new Map([...given(plan)].map(([taskId, { agentId }]) => [taskId, agentId]));
}

describe('the lanes of a plan', () => {
  it('find the same agents whatever the options', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        expect(planPlacement(pool, 0, options)).toEqual(planPlacement(pool, 0));
      }),
      { numRuns },
    );
  });

  it('find the same agents as looking at every agent for every task', () => {
    fc.assert(
      fc.property(anyPool, anyOptions, (pool, options) => {
        expect(agentsOf(planPlacement(pool, 0, options))).toEqual(slowPlan(pool, options));
      }),
      { numRuns },
    );
  });

  it.each([
    ['as groups', { mostGroups: 1024 }],
    ['one agent at a time', { mostGroups: 1 }],
    ['both ways', { mostGroups: 100 }],
  ])('do so over many racks, with jobs in turn that limit racks and hosts, %s', (_, options) => {
    const agents = Array.from({ length: 160 }, (_, at) =>
      sampleAgent(`a${at}`, {
        mode: at % 17 === 0 ? 'SCHEDULED' : 'NONE',
        attributes: { host: [`a${at}`], rack: [`r${at % 70}`], zone: [`z${at % 3}`] },
        capacity: { cpuMilli: 4000 + (at % 5) * 1000, gpus: at % 4 === 0 ? ['T4', 'T4'] : [] },
      }),
    );
    const constraints = [
      [limit('rack', 2)],
      [limit('host', 1), not('zone', 'z1')],
      [],
      [value('zone', 'z2')],
    ];
    const pending = Array.from({ length: 360 }, (_, at) =>
      sampleTask(`t${at}`, {
        jobPath: `role/prod/job-${at % 8}`,
        instance: at,
        constraints: constraints[at % 4] ?? [],
        resources: {
          cpuMilli: 500 + (at % 3) * 700,
          ...(at % 8 === 4 ? { gpus: 1, gpuMilli: 400 } : {}),
        },
      }),
    );
    const pool = { agents, pending, running: [] };

    const found = agentsOf(planPlacement(pool, 0, options));

    expect(found.size).toBeGreaterThan(300);
    expect(found).toEqual(slowPlan(pool, options));
  });
});
