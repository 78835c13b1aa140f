// Shapes: tasks that ask for the same resources under the same constraints are decided alike, so the plan works per
// shape and only counts per task. A limit counts the tasks of one job, so with limits the job is part of the shape.
import type { Constraint } from '../../model/task-config.ts';
import type { Demand, Fleet } from './fleet.ts';
import { type FixedRules, fixedRules, Gate } from './gate.ts';
import { type Finder, Lane, Scan } from './lane.ts';
import { cardShareMilli, portNeed } from './ledger.ts';
import { JobCounts } from './limits.ts';
import { compareText } from './order.ts';
import { type Partition, partitionFor } from './partition.ts';
import type { Ranker } from './rank.ts';
import type { PendingTask, PlacementOptions, PlacementSnapshot } from './types.ts';

type Resources = PendingTask['resources'];
type Constraints = readonly Constraint[];

/** A demand is worth a lane if this many tasks ask for it; below, looking at every agent costs less. */
const worthALane = 3;
/** A constraint that leaves one agent in so many is served by looking at just those. */
const fewFraction = 8;
/** Enough for 200 racks of four kinds of machine; beyond it the step over the groups costs more than it saves. */
const defaultMostGroups = 1024;
/** About 400 MB at the worst. Demands beyond it are served without a lane. */
const defaultMostLaneCells = 16_000_000;

/** Equal resources, whatever the constraints. */
export interface DemandKind {
  readonly demand: Demand;
  /** Pending tasks that ask for it, and those not yet decided. */
  count: number;
  waiting: number;
  lane: Lane | undefined;
}

/** How the agents of a shape are found. */
export interface Search {
  readonly gate: Gate;
  readonly finder: Finder;
}

/** One kind of ask in a plan. */
export interface Shape {
  readonly key: string;
  readonly resources: Resources;
  readonly constraints: Constraints;
  readonly kind: DemandKind;
  readonly jobPath: string;
  readonly limited: boolean;
  /** Tasks not yet decided. */
  waiting: number;
  /** Set once no agent could take it: free amounts and limits only get tighter within a plan. */
  exhausted: boolean;
  search: Search | undefined;
}

/** Sorts pending tasks into shapes and holds, per job with limits, the counts. */
export class ShapeBook {
  private readonly fleet: Fleet;
  private readonly mostGroups: number;
  private readonly mostLaneCells: number;
  private readonly byKey = new Map<string, Shape>();
  /** Shapes seen per job; nearly always one, found by comparing instead of writing a key. */
  private readonly byJob = new Map<string, Shape[]>();
  private readonly jobs = new Map<string, JobCounts>();
  private readonly runningAt = new Map<string, number[]>();
  private readonly rules = new Map<string, FixedRules>();
  private readonly gates = new Map<string, Gate>();
  private readonly kinds = new Map<string, DemandKind>();
  private partition: Partition | undefined;
  /** Lanes in being. */
  private lanes = 0;

  constructor(fleet: Fleet, running: PlacementSnapshot['running'], options: PlacementOptions) {
    this.fleet = fleet;
    this.mostGroups = options.mostGroups ?? defaultMostGroups;
    this.mostLaneCells = options.mostLaneCells ?? defaultMostLaneCells;
    for (const { jobPath, agentId } of running) {
      const at = fleet.positionOf(agentId);
      if (at === undefined) continue;
      const places = this.runningAt.get(jobPath);
      if (places) places.push(at);
      else this.runningAt.set(jobPath, [at]);
    }
  }

  /** Every demand seen so far, with its number of tasks. */
  demands(): Iterable<DemandKind> {
    return this.kinds.values();
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
    shape.waiting++;
    shape.kind.count++;
    shape.kind.waiting++;
    return shape;
  }

  /** The counts of a job one of whose pending tasks has a limit; undefined for other jobs. */
  countsOf(jobPath: string): JobCounts | undefined {
    return this.jobs.get(jobPath);
  }

  /** Where a shape's agents are found; made at first use. Call after the last task was entered. */
  searchOf(shape: Shape, ranker: Ranker): Search {
    if (!shape.search) {
      this.partition ??= partitionFor(
        this.fleet,
        [...this.byKey.values()].map(({ constraints }) => constraints),
        this.mostGroups,
      );
      const gate = this.gateOf(shape, this.partition);
      shape.search = { gate, finder: this.finderOf(shape, gate, this.partition, ranker) };
    }
    return shape.search;
  }

  /** One task of the shape was decided. What no later task needs is let go: lanes are large. */
  leave(shape: Shape): void {
    if (--shape.waiting === 0) shape.search = undefined;
    const { kind } = shape;
    if (--kind.waiting > 0 || !kind.lane) return;
    kind.lane = undefined;
    this.lanes--;
  }

  private intern(task: PendingTask): Shape {
    const limited = task.constraints.some((constraint) => constraint.kind === 'limit');
    const key = shapeKey(task.resources, task.constraints, task.jobPath);
    let shape = this.byKey.get(key);
    if (!shape) {
      const { resources, constraints, jobPath } = task;
      const kind = this.kindOf(resources);
      const fresh = { waiting: 0, exhausted: false, search: undefined };
      shape = { key, resources, constraints, kind, jobPath, limited, ...fresh };
      this.byKey.set(key, shape);
      if (limited && !this.jobs.has(jobPath)) {
        this.jobs.set(jobPath, new JobCounts(this.runningAt.get(jobPath) ?? []));
      }
    }
    return shape;
  }

  private kindOf(resources: Resources): DemandKind {
    const key = demandKey(resources);
    let kind = this.kinds.get(key);
    if (!kind) {
      kind = { demand: this.fleet.demandOf(resources), count: 0, waiting: 0, lane: undefined };
      this.kinds.set(key, kind);
    }
    return kind;
  }

  private gateOf({ constraints, resources, jobPath, limited }: Shape, partition: Partition): Gate {
    const eligibility = eligibilityKey(constraints);
    let rules = this.rules.get(eligibility);
    if (!rules) {
      rules = fixedRules(this.fleet, partition, constraints);
      this.rules.set(eligibility, rules);
    }
    const ports = portNeed(resources);
    if (limited) {
      const own = new Gate(this.fleet, partition, rules, ports);
      own.addLimits(constraints, this.jobs.get(jobPath) as JobCounts);
      return own;
    }
    const key = `${ports} ${eligibility}`;
    let gate = this.gates.get(key);
    if (!gate) {
      gate = new Gate(this.fleet, partition, rules, ports);
      this.gates.set(key, gate);
    }
    return gate;
  }

  private finderOf({ kind }: Shape, gate: Gate, partition: Partition, ranker: Ranker): Finder {
    const { candidates } = gate;
    const few = candidates !== undefined && candidates.length * fewFraction <= this.fleet.size;
    if (
      !kind.lane &&
      !few &&
      kind.count >= worthALane &&
      (this.lanes + 1) * this.fleet.size <= this.mostLaneCells
    ) {
      kind.lane = new Lane(this.fleet, ranker, kind.demand, partition);
      this.lanes++;
    }
    return kind.lane && !few ? kind.lane : new Scan(this.fleet, ranker, kind.demand);
  }
}

/** Text that is equal for asks that are decided alike. */
function shapeKey(resources: Resources, constraints: Constraints, jobPath: string): string {
  const limits = constraints.filter((constraint) => constraint.kind === 'limit');
  const key = `${demandKey(resources)} ${portNeed(resources)} ${eligibilityKey(constraints)}`;
  if (limits.length === 0) return key;
  const texts = limits.map(({ attribute, limit }) => JSON.stringify([attribute, limit]));
  return `${key} ${texts.sort(compareText).join()} ${jobPath}`;
}

function demandKey(resources: Resources): string {
  const { cpuMilli, ramMb, diskMb, gpus, gpuModels } = resources;
  const models = gpus > 0 ? [...new Set(gpuModels)].sort(compareText) : [];
  const amounts = [cpuMilli, ramMb, diskMb, gpus, cardShareMilli(resources)];
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
