// The agents of a plan split into groups that constraints open and close as a whole: same zone, same rack, same kind.
// A full rack or a forbidden zone is then passed over in one step instead of agent by agent.
import type { Constraint } from '../../model/task-config.ts';
import type { AttributeIndex } from './attribute-index.ts';
import { dedicatedAttribute } from './filter.ts';
import type { Fleet } from './fleet.ts';

/** Groups of agents with equal values for each of some attributes. */
export class Partition {
  readonly attributes: readonly AttributeIndex[];
  /** The group of each agent. */
  readonly groupOf: Int32Array;
  /** Where each group's agents start if all are lined up group by group; one more entry for the end. */
  readonly starts: Int32Array;
  /** One agent of each group; all of a group are alike in the partition's attributes. */
  readonly samples: readonly number[];
  /** By attribute, by value number: the groups whose agents have the value. */
  private readonly holding: readonly number[][][];

  constructor(fleet: Fleet, attributes: readonly AttributeIndex[]) {
    this.attributes = attributes;
    this.groupOf = new Int32Array(fleet.size);
    const samples: number[] = [];
    const numbers = new Map<string, number>();
    for (let at = 0; at < fleet.size; at++) {
      const key = attributes.map((attribute) => attribute.groupOf[at]).join();
      let group = numbers.get(key);
      if (group === undefined) {
        group = samples.push(at) - 1;
        numbers.set(key, group);
      }
      this.groupOf[at] = group;
    }
    this.samples = samples;
    this.starts = new Int32Array(samples.length + 1);
    for (const group of this.groupOf) this.starts[group + 1] = (this.starts[group + 1] as number) + 1;
    for (let group = 0; group < samples.length; group++) {
      this.starts[group + 1] = (this.starts[group + 1] as number) + (this.starts[group] as number);
    }
    this.holding = attributes.map((attribute) => {
      const lists: number[][] = [];
      for (const [group, sample] of samples.entries()) {
        for (const value of attribute.valuesOf[sample] ?? []) {
          lists[value] ??= [];
          lists[value].push(group);
        }
      }
      return lists;
    });
  }

  /** The groups whose agents have this value of one of the partition's attributes. */
  groupsWith(attribute: AttributeIndex, value: number): readonly number[] {
    return this.holding[this.attributes.indexOf(attribute)]?.[value] ?? [];
  }
}

/**
 * The partition by the attributes that the pending constraints name, coarsest first. An attribute that would make more
 * than `mostGroups` (host names) is left out and checked agent by agent instead.
 */
export function partitionFor(
  fleet: Fleet,
  constraints: Iterable<readonly Constraint[]>,
  mostGroups: number,
): Partition {
  const names = new Set([dedicatedAttribute]);
  for (const list of constraints) for (const { attribute } of list) names.add(attribute);
  const indexes = [...names].sort().map((name) => fleet.attribute(name));
  indexes.sort((a, b) => a.groups.length - b.groups.length);
  let partition = new Partition(fleet, []);
  for (const attribute of indexes) {
    if (attribute.groups.length > mostGroups) break;
    const finer = new Partition(fleet, [...partition.attributes, attribute]);
    if (finer.samples.length <= mostGroups) partition = finer;
  }
  return partition;
}
