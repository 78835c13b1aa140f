// A gate: which agents the constraints of a shape leave open. Attributes of the partition open and close whole groups;
// the others (host names) are tested on the one agent a lane proposes. Same rules as filter.ts, checks 1, 3 and 4.
import type { Constraint } from '../../model/task-config.ts';
import type { AttributeIndex } from './attribute-index.ts';
import { claimsDedicated, dedicatedAttribute } from './filter.ts';
import type { Fleet } from './fleet.ts';
import type { JobCounts } from './limits.ts';
import type { Partition } from './partition.ts';

interface Limit {
  readonly attribute: AttributeIndex;
  readonly counts: ReadonlyMap<number, number>;
  readonly limit: number;
}

type Test = (at: number) => boolean;

/** What of some constraints can't change within a plan; shared by the gates of all jobs that have them. */
export interface FixedRules {
  /** By group: 1 = open. */
  readonly open: Uint8Array;
  /** What groups don't settle. */
  readonly tests: readonly Test[];
  /** The only agents that could pass, if the constraints name few; undefined = look at all. */
  readonly candidates: readonly number[] | undefined;
}

/** Checks 1 and 3 over a fleet. */
export function fixedRules(
  fleet: Fleet,
  partition: Partition,
  constraints: readonly Constraint[],
): FixedRules {
  const inGroups = (name: string): boolean => partition.attributes.includes(fleet.attribute(name));
  const groupTests: Test[] = [];
  const tests: Test[] = [];
  for (const constraint of constraints) {
    (inGroups(constraint.attribute) ? groupTests : tests).push(attributeTest(fleet, constraint));
  }
  if (!claimsDedicated(constraints)) {
    const { valuesOf } = fleet.attribute(dedicatedAttribute);
    const forAll: Test = (at) => valuesOf[at]?.length === 0;
    (inGroups(dedicatedAttribute) ? groupTests : tests).push(forAll);
  }
  return {
    open: Uint8Array.from(partition.samples, (at) => (groupTests.every((test) => test(at)) ? 1 : 0)),
    tests,
    candidates: fewest(
      fleet,
      constraints.filter(({ attribute }) => !inGroups(attribute)),
    ),
  };
}

/** What a shape's constraints and ports allow. Within a plan a gate only ever closes further. */
export class Gate {
  /** By group: 1 = open. */
  readonly open: Uint8Array;
  readonly candidates: readonly number[] | undefined;
  private readonly fleet: Fleet;
  private readonly partition: Partition;
  private readonly ports: number;
  private readonly tests: readonly Test[];
  private readonly groupLimits: Limit[] = [];
  private readonly agentLimits: Limit[] = [];

  constructor(fleet: Fleet, partition: Partition, rules: FixedRules, ports: number) {
    this.fleet = fleet;
    this.partition = partition;
    this.ports = ports;
    this.open = rules.open.slice();
    this.tests = rules.tests;
    this.candidates = rules.candidates;
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

  /** Adds the limits among the constraints, by the job's counts now and from now on. */
  addLimits(constraints: readonly Constraint[], job: JobCounts): void {
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
