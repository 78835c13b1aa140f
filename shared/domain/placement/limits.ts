// Limit constraints while a plan grows: how many tasks of a job are on agents with each attribute value, counting
// those placed earlier in the same plan (Aurora does not, and overshoots). Counts only grow within a plan, so a value
// that is full stays full.
import type { Constraint } from '../../model/task-config.ts';
import type { AttributeIndex } from './attribute-index.ts';
import type { Fleet } from './fleet.ts';

/** Most groups a lane is split into; above it a limit is checked agent by agent instead. */
const mostGroups = 256;

/** The agents split by the attributes that limits name, so that a full rack is passed over in one step. */
export class Partition {
  readonly attributes: readonly AttributeIndex[];
  /** The group of each agent; agents that lack an attribute are in none (-1). */
  readonly groupOf: Int32Array;
  readonly count: number;
  /** By attribute, by value number: the groups whose agents have the value. */
  private readonly holding: readonly (readonly (readonly number[])[])[];

  constructor(fleet: Fleet, attributes: readonly AttributeIndex[]) {
    this.attributes = attributes;
    this.groupOf = new Int32Array(fleet.size).fill(attributes.length === 0 ? 0 : -1);
    const numbers = new Map<string, number>();
    const holding = attributes.map((): number[][] => []);
    for (let at = 0; at < fleet.size && attributes.length > 0; at++) {
      const parts = attributes.map((attribute) => attribute.groupOf[at] as number);
      if (parts.includes(-1)) continue;
      const key = parts.join();
      let group = numbers.get(key);
      if (group === undefined) {
        group = numbers.size;
        numbers.set(key, group);
        for (const [which, attribute] of attributes.entries()) {
          for (const value of attribute.valuesOf[at] ?? []) {
            const lists = holding[which] as number[][];
            lists[value] ??= [];
            lists[value].push(group);
          }
        }
      }
      this.groupOf[at] = group;
    }
    this.count = attributes.length === 0 ? 1 : numbers.size;
    this.holding = holding;
  }

  /** The groups whose agents have this value of the attribute. */
  groupsWith(attribute: AttributeIndex, value: number): readonly number[] {
    return this.holding[this.attributes.indexOf(attribute)]?.[value] ?? [];
  }
}

/** The partition for a set of limits: the coarsest attributes first, as long as the groups stay few. */
export function partitionFor(fleet: Fleet, limits: readonly AttributeIndex[]): Partition {
  let partition = new Partition(fleet, []);
  const byGroups = [...new Set(limits)].sort((a, b) => a.groups.length - b.groups.length);
  for (const attribute of byGroups) {
    if (attribute.groups.length > mostGroups) break;
    const finer = new Partition(fleet, [...partition.attributes, attribute]);
    if (finer.count > mostGroups) break;
    partition = finer;
  }
  return partition;
}

/** How many tasks of one job run where, by the attributes any of its waiting tasks limits. */
export class JobCounts {
  private readonly byAttribute = new Map<AttributeIndex, Map<number, number>>();
  private readonly gates: Gate[] = [];
  /** Agents of the job's on-agent tasks and, as the plan grows, of those it places; one entry a task. */
  private readonly onAgents: number[];

  constructor(runningAt: readonly number[]) {
    this.onAgents = [...runningAt];
  }

  /** Tasks by value number of the attribute. */
  countsOf(attribute: AttributeIndex): ReadonlyMap<number, number> {
    let counts = this.byAttribute.get(attribute);
    if (!counts) {
      counts = new Map();
      for (const at of this.onAgents) addTo(counts, attribute, at);
      this.byAttribute.set(attribute, counts);
    }
    return counts;
  }

  /** Keeps a gate told of every placement. */
  watch(gate: Gate): void {
    this.gates.push(gate);
  }

  /** A task of the job was placed on this agent. */
  add(at: number): void {
    this.onAgents.push(at);
    for (const [attribute, counts] of this.byAttribute) addTo(counts, attribute, at);
    for (const gate of this.gates) gate.closeFull(at);
  }
}

function addTo(counts: Map<number, number>, attribute: AttributeIndex, at: number): void {
  for (const value of attribute.valuesOf[at] ?? []) counts.set(value, (counts.get(value) ?? 0) + 1);
}

interface Limit {
  readonly attribute: AttributeIndex;
  readonly counts: ReadonlyMap<number, number>;
  readonly limit: number;
}

/** The limits of one shape of task: which groups and which agents are full for it. */
export class Gate {
  readonly partition: Partition;
  /** By group: 1 = full. */
  readonly closed: Uint8Array;
  private readonly grouped: readonly Limit[];
  private readonly single: readonly Limit[];

  constructor(fleet: Fleet, constraints: readonly Constraint[], job: JobCounts, partition: Partition) {
    this.partition = partition;
    this.closed = new Uint8Array(partition.count);
    const limits = constraints
      .filter((constraint) => constraint.kind === 'limit')
      .map(({ attribute: name, limit }): Limit => {
        const attribute = fleet.attribute(name);
        return { attribute, counts: job.countsOf(attribute), limit };
      });
    this.grouped = limits.filter(({ attribute }) => partition.attributes.includes(attribute));
    this.single = limits.filter(({ attribute }) => !partition.attributes.includes(attribute));
    for (const { attribute, counts, limit } of this.grouped) {
      for (const [value, count] of counts) if (count >= limit) this.close(attribute, value);
    }
    job.watch(this);
  }

  /** True if a limit that groups don't cover is reached on this agent. */
  bars(at: number): boolean {
    for (const { attribute, counts, limit } of this.single) {
      for (const value of attribute.valuesOf[at] as readonly number[]) {
        if ((counts.get(value) ?? 0) >= limit) return true;
      }
    }
    return false;
  }

  /** Closes the groups that became full when a task went to this agent. */
  closeFull(at: number): void {
    for (const { attribute, counts, limit } of this.grouped) {
      for (const value of attribute.valuesOf[at] ?? []) {
        if ((counts.get(value) ?? 0) >= limit) this.close(attribute, value);
      }
    }
  }

  private close(attribute: AttributeIndex, value: number): void {
    for (const group of this.partition.groupsWith(attribute, value)) this.closed[group] = 1;
  }
}
