// One attribute over all agents of a plan: its values as small integers, who has which, and the groups of agents that
// share exactly the same values (racks, zones), which limit constraints open and close as a whole.
import { attributeValues } from './filter.ts';
import type { AgentSnapshot } from './types.ts';

const none: readonly number[] = [];

/** Values of one attribute by agent position. */
export class AttributeIndex {
  readonly name: string;
  /** Value numbers of each agent; empty if it lacks the attribute. */
  readonly valuesOf: readonly (readonly number[])[];
  /** The group of each agent; -1 if it lacks the attribute. */
  readonly groupOf: Int32Array;
  /** The value numbers that make each group. */
  readonly groups: readonly (readonly number[])[];
  /** By value number: the agents that have it. */
  private readonly agents: number[][] = [];
  private readonly numbers = new Map<string, number>();

  constructor(name: string, snapshots: readonly AgentSnapshot[]) {
    this.name = name;
    const groups: (readonly number[])[] = [];
    const groupNumbers = new Map<string, number>();
    this.groupOf = new Int32Array(snapshots.length).fill(-1);
    this.valuesOf = snapshots.map(({ agent }, at) => {
      const texts = attributeValues(agent.attributes, name);
      if (texts.length === 0) return none;
      const values = [...new Set(texts.map((text) => this.number(text)))].sort((a, b) => a - b);
      const key = values.join();
      let group = groupNumbers.get(key);
      if (group === undefined) {
        group = groups.push(values) - 1;
        groupNumbers.set(key, group);
      }
      this.groupOf[at] = group;
      for (const value of values) {
        this.agents[value] ??= [];
        this.agents[value].push(at);
      }
      return groups[group] as readonly number[];
    });
    this.groups = groups;
  }

  /** The number of a value, or undefined if no agent has it. */
  numberOf(value: string): number | undefined {
    return this.numbers.get(value);
  }

  /** The agents that have at least one of the values, by position. */
  agentsWith(values: readonly string[]): readonly number[] {
    const found = new Set<number>();
    for (const value of this.numbersOf(values)) for (const at of this.agents[value] ?? []) found.add(at);
    return [...found].sort((a, b) => a - b);
  }

  /** The numbers of those values that any agent has. */
  numbersOf(values: readonly string[]): ReadonlySet<number> {
    return new Set(values.map((value) => this.numbers.get(value)).filter((number) => number !== undefined));
  }

  private number(text: string): number {
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(text, number);
    }
    return number;
  }
}
