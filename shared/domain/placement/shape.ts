// Shapes: tasks that ask for the same resources under the same constraints are decided alike, so the plan works per
// shape and only counts per task. A limit counts the tasks of one job, so with limits the job is part of the shape.
import type { Constraint } from '../../model/task-config.ts';
import { dedicatedVeto, maintenanceVeto } from './filter.ts';
import type { Demand, Fleet } from './fleet.ts';
import { Lane } from './lane.ts';
import { cardShareMilli, portNeed } from './ledger.ts';
import { Gate, JobCounts, type Partition, partitionFor } from './limits.ts';
import { compareText } from './order.ts';
import type { Ranker } from './rank.ts';
import type { PendingTask, PlacementSnapshot } from './types.ts';

type Resources = PendingTask['resources'];
type Constraints = readonly Constraint[];

/** One kind of ask in a plan. */
export interface Shape {
  readonly key: string;
  readonly resources: Resources;
  readonly constraints: Constraints;
  readonly demand: Demand;
  readonly jobPath: string;
  readonly limited: boolean;
  /** Pending tasks of this shape. */
  count: number;
  /** Set once no agent could take it: free amounts and limits only get tighter within a plan. */
  exhausted: boolean;
  lane?: Lane;
  gate?: Gate;
}

/** Sorts pending tasks into shapes and holds, per job with limits, the counts. */
export class ShapeBook {
  private readonly fleet: Fleet;
  private readonly byKey = new Map<string, Shape>();
  /** Shapes seen per job; nearly always one, found by comparing instead of writing a key. */
  private readonly byJob = new Map<string, Shape[]>();
  private readonly jobs = new Map<string, JobCounts>();
  private readonly runningAt = new Map<string, number[]>();
  private readonly lanes = new Map<string, Lane>();
  private readonly eligibleAgents = new Map<string, Int32Array>();
  private readonly partitions = new Map<string, Partition>();

  constructor(fleet: Fleet, running: PlacementSnapshot['running']) {
    this.fleet = fleet;
    for (const { jobPath, agentId } of running) {
      const at = fleet.positionOf(agentId);
      if (at === undefined) continue;
      const places = this.runningAt.get(jobPath);
      if (places) places.push(at);
      else this.runningAt.set(jobPath, [at]);
    }
  }

  /** Every shape seen so far. */
  shapes(): Iterable<Shape> {
    return this.byKey.values();
  }

  /** The shape of a task, counted. */
  enter(task: PendingTask): Shape {
    let known = this.byJob.get(task.jobPath);
    if (!known) {
      known = [];
      this.byJob.set(task.jobPath, known);
    }
    let shape = known.find((candidate) => sameAsk(candidate, task));
    if (!shape) {
      shape = this.intern(task);
      known.push(shape);
    }
    shape.count++;
    return shape;
  }

  /** The counts of a job one of whose pending tasks has a limit; undefined for other jobs. */
  countsOf(jobPath: string): JobCounts | undefined {
    return this.jobs.get(jobPath);
  }

  /** The lane a shape is placed from; made at first use, shared by shapes that differ only in their limits' jobs. */
  laneOf(shape: Shape, ranker: Ranker): Lane {
    if (shape.lane) return shape.lane;
    const limits = shape.constraints.filter((constraint) => constraint.kind === 'limit');
    const names = [...new Set(limits.map(({ attribute }) => attribute))].sort(compareText);
    const partition = this.partitionOf(names);
    if (shape.limited) {
      const job = this.jobs.get(shape.jobPath) as JobCounts;
      shape.gate = new Gate(this.fleet, shape.constraints, job, partition);
    }
    const eligibility = eligibilityKey(shape.constraints);
    const key = `${demandKey(shape.resources)} ${eligibility} ${JSON.stringify(names)}`;
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = new Lane(this.fleet, ranker, shape.demand, this.eligible(shape, eligibility), partition);
      this.lanes.set(key, lane);
    }
    shape.lane = lane;
    return lane;
  }

  private intern(task: PendingTask): Shape {
    const limited = task.constraints.some((constraint) => constraint.kind === 'limit');
    const key = shapeKey(task.resources, task.constraints, task.jobPath);
    let shape = this.byKey.get(key);
    if (!shape) {
      const { resources, constraints, jobPath } = task;
      const demand = this.fleet.demandOf(resources);
      shape = { key, resources, constraints, demand, jobPath, limited, count: 0, exhausted: false };
      this.byKey.set(key, shape);
      if (limited && !this.jobs.has(jobPath)) {
        this.jobs.set(jobPath, new JobCounts(this.runningAt.get(jobPath) ?? []));
      }
    }
    return shape;
  }

  private partitionOf(names: readonly string[]): Partition {
    const key = JSON.stringify(names);
    let partition = this.partitions.get(key);
    if (!partition) {
      partition = partitionFor(
        this.fleet,
        names.map((name) => this.fleet.attribute(name)),
      );
      this.partitions.set(key, partition);
    }
    return partition;
  }

  /** Agents that pass every check that can't change within a plan, resources aside. */
  private eligible(shape: Shape, key: string): Int32Array {
    let agents = this.eligibleAgents.get(key);
    if (!agents) {
      const tests = shape.constraints.map((constraint) => attributeTest(this.fleet, constraint));
      const kept: number[] = [];
      for (const [at, { agent }] of this.fleet.snapshots.entries()) {
        if (maintenanceVeto(agent) || dedicatedVeto(shape, agent)) continue;
        if (tests.every((test) => test(at))) kept.push(at);
      }
      agents = Int32Array.from(kept);
      this.eligibleAgents.set(key, agents);
    }
    return agents;
  }
}

/** The static part of a constraint over agent positions (spec section 3, check 3). */
function attributeTest(fleet: Fleet, constraint: Constraint): (at: number) => boolean {
  const index = fleet.attribute(constraint.attribute);
  if (constraint.kind === 'limit') return (at) => (index.valuesOf[at] as readonly number[]).length > 0;
  const wanted = index.numbersOf(constraint.values);
  const { negated } = constraint;
  return (at) => (index.valuesOf[at] as readonly number[]).some((value) => wanted.has(value)) !== negated;
}

/** Text that is equal for asks that are decided alike. */
export function shapeKey(resources: Resources, constraints: Constraints, jobPath: string): string {
  const limits = constraints.filter((constraint) => constraint.kind === 'limit');
  const key = `${demandKey(resources)} ${eligibilityKey(constraints)}`;
  if (limits.length === 0) return key;
  const texts = limits.map(({ attribute, limit }) => JSON.stringify([attribute, limit]));
  return `${key} ${texts.sort(compareText).join()} ${jobPath}`;
}

function demandKey(resources: Resources): string {
  const { cpuMilli, ramMb, diskMb, gpus, gpuModels } = resources;
  const models = gpus > 0 ? [...new Set(gpuModels)].sort(compareText) : [];
  const amounts = [cpuMilli, ramMb, diskMb, gpus, cardShareMilli(resources), portNeed(resources)];
  return `${amounts.join('/')}${models.length === 0 ? '' : JSON.stringify(models)}`;
}

function eligibilityKey(constraints: Constraints): string {
  const texts = constraints.map((constraint) =>
    constraint.kind === 'limit'
      ? JSON.stringify([constraint.attribute])
      : JSON.stringify([
          constraint.attribute,
          constraint.negated,
          ...[...new Set(constraint.values)].sort(compareText),
        ]),
  );
  return `[${[...new Set(texts)].sort(compareText).join()}]`;
}

function sameAsk(shape: Shape, task: PendingTask): boolean {
  return (
    sameResources(shape.resources, task.resources) && sameConstraints(shape.constraints, task.constraints)
  );
}

function sameResources(a: Resources, b: Resources): boolean {
  return (
    a === b ||
    (a.cpuMilli === b.cpuMilli &&
      a.ramMb === b.ramMb &&
      a.diskMb === b.diskMb &&
      a.gpus === b.gpus &&
      a.gpuMilli === b.gpuMilli &&
      sameTexts(a.gpuModels, b.gpuModels) &&
      sameTexts(a.ports, b.ports))
  );
}

function sameConstraints(a: Constraints, b: Constraints): boolean {
  return a === b || (a.length === b.length && a.every((one, at) => sameConstraint(one, b[at] as Constraint)));
}

function sameConstraint(a: Constraint, b: Constraint): boolean {
  if (a.attribute !== b.attribute) return false;
  if (a.kind === 'limit') return b.kind === 'limit' && a.limit === b.limit;
  return b.kind === 'value' && a.negated === b.negated && sameTexts(a.values, b.values);
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, at) => text === b[at]));
}
