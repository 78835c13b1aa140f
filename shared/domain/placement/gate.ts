// A gate: which agents the constraints of a shape leave open. Attributes of the partition open and close whole groups;
// the others (host names) are tested on the one agent a lane proposes. Same rules as filter.ts, checks 1, 3 and 4.
import type { Constraint } from '../../model/task-config.ts';
import type { AttributeIndex } from './attribute-index.ts';
import { dedicatedAttribute, dedicatedVeto } from './filter.ts';
import type { Fleet } from './fleet.ts';
import type { JobCounts } from './limits.ts';
import type { Partition } from './partition.ts';

interface Limit {
  readonly attribute: AttributeIndex;
  readonly counts: ReadonlyMap<number, number>;
  readonly limit: number;
}

type Test = (at: number) => boolean;

/** What a shape's constraints and ports allow. Within a plan a gate only ever closes further. */
export class Gate {
  /** By group: 1 = open. */
  readonly open: Uint8Array;
  /** The only agents that could pass, if the constraints name them one by one; undefined = look at all. */
  readonly candidates: readonly number[] | undefined;
  private readonly fleet: Fleet;
  private readonly partition: Partition;
  private readonly ports: number;
  private readonly tests: readonly Test[];
  private readonly groupLimits: Limit[] = [];
  private readonly agentLimits: Limit[] = [];

  /** `job` must be given if there are limits. */
  constructor(
    fleet: Fleet,
    partition: Partition,
    ask: { readonly constraints: readonly Constraint[]; readonly ports: number },
    job: JobCounts | undefined,
  ) {
    this.fleet = fleet;
    this.partition = partition;
    this.ports = ask.ports;
    const inGroups = ({ attribute }: { attribute: string }): boolean =>
      partition.attributes.includes(fleet.attribute(attribute));
    const groupTests = ask.constraints.filter(inGroups).map((constraint) => attributeTest(fleet, constraint));
    const fine = ask.constraints.filter((constraint) => !inGroups(constraint));
    const tests = fine.map((constraint) => attributeTest(fleet, constraint));
    (inGroups({ attribute: dedicatedAttribute }) ? groupTests : tests).push(notKeptFromOthers(fleet, ask));
    this.tests = tests;
    this.open = Uint8Array.from(partition.samples, (at) => (groupTests.every((test) => test(at)) ? 1 : 0));
    this.candidates = fewest(fleet, fine);
    if (job) this.addLimits(ask.constraints, job);
  }

  /** True if the agent, of an open group, is barred all the same. */
  bars(at: number): boolean {
    if ((this.fleet.ports[at] as number) < this.ports) return true;
    for (const test of this.tests) if (!test(at)) return true;
    for (const { attribute, counts, limit } of this.agentLimits) {
      for (const value of attribute.valuesOf[at] as readonly number[]) {
        if ((counts.get(value) ?? 0) >= limit) return true;
      }
    }
    return false;
  }

  /** True if the agent passes groups and tests. */
  admits(at: number): boolean {
    return this.open[this.partition.groupOf[at] as number] === 1 && !this.bars(at);
  }

  /** Closes the groups that became full when a task of the job went to this agent. */
  placedOn(at: number): void {
    for (const { attribute, counts, limit } of this.groupLimits) {
      for (const value of attribute.valuesOf[at] ?? []) {
        if ((counts.get(value) ?? 0) >= limit) this.close(attribute, value);
      }
    }
  }

  private addLimits(constraints: readonly Constraint[], job: JobCounts): void {
    for (const constraint of constraints) {
      if (constraint.kind !== 'limit') continue;
      const attribute = this.fleet.attribute(constraint.attribute);
      const counts = job.countsOf(attribute);
      const limit = { attribute, counts, limit: constraint.limit };
      if (!this.partition.attributes.includes(attribute)) {
        this.agentLimits.push(limit);
        continue;
      }
      this.groupLimits.push(limit);
      for (const [value, count] of counts) if (count >= constraint.limit) this.close(attribute, value);
    }
    if (this.groupLimits.length > 0) job.watch(this);
  }

  private close(attribute: AttributeIndex, value: number): void {
    for (const group of this.partition.groupsWith(attribute, value)) this.open[group] = 0;
  }
}

/** The part of a constraint that can't change within a plan. */
function attributeTest(fleet: Fleet, constraint: Constraint): Test {
  const index = fleet.attribute(constraint.attribute);
  const { valuesOf } = index;
  if (constraint.kind === 'limit') return (at) => (valuesOf[at] as readonly number[]).length > 0;
  const wanted = index.numbersOf(constraint.values);
  const { negated } = constraint;
  return (at) => (valuesOf[at] as readonly number[]).some((value) => wanted.has(value)) !== negated;
}

function notKeptFromOthers(fleet: Fleet, ask: { readonly constraints: readonly Constraint[] }): Test {
  return (at) => {
    const snapshot = fleet.snapshots[at];
    return snapshot !== undefined && dedicatedVeto(ask, snapshot.agent) === undefined;
  };
}

/** The shortest list of agents that one of the constraints narrows the search to. */
function fewest(fleet: Fleet, constraints: readonly Constraint[]): readonly number[] | undefined {
  let best: readonly number[] | undefined;
  for (const constraint of constraints) {
    if (constraint.kind !== 'value' || constraint.negated) continue;
    const agents = fleet.attribute(constraint.attribute).agentsWith(constraint.values);
    if (!best || agents.length < best.length) best = agents;
  }
  return best;
}
