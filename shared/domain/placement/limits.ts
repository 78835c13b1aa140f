// Limit constraints while a plan grows: how many tasks of a job are on agents with each attribute value, counting
// those placed earlier in the same plan (Aurora does not, and overshoots). Counts only grow within a plan, so a value
// that is full stays full.
import type { AttributeIndex } from './attribute-index.ts';

/** Is told when a task of the job it belongs to is placed. */
export interface PlacementWatcher {
  placedOn(at: number): void;
}

/** How many tasks of one job run where, by the attributes any of its waiting tasks limits. */
export class JobCounts {
  private readonly byAttribute = new Map<AttributeIndex, Map<number, number>>();
  private readonly watchers: PlacementWatcher[] = [];
  /** Agents of the job's on-agent tasks and, as the plan grows, of those it places; one entry a task. */
  private readonly onAgents: number[];

  constructor(runningAt: readonly number[]) {
    this.onAgents = [...runningAt];
  }

  /** Tasks by value number of the attribute. The map is kept up to date. */
  countsOf(attribute: AttributeIndex): ReadonlyMap<number, number> {
    let counts = this.byAttribute.get(attribute);
    if (!counts) {
      counts = new Map();
      for (const at of this.onAgents) addTo(counts, attribute, at);
      this.byAttribute.set(attribute, counts);
    }
    return counts;
  }

  /** Tells the watcher of every later placement, after the counts have changed. */
  watch(watcher: PlacementWatcher): void {
    this.watchers.push(watcher);
  }

  /** A task of the job was placed on this agent. */
  add(at: number): void {
    this.onAgents.push(at);
    for (const [attribute, counts] of this.byAttribute) addTo(counts, attribute, at);
    for (const watcher of this.watchers) watcher.placedOn(at);
  }
}

function addTo(counts: Map<number, number>, attribute: AttributeIndex, at: number): void {
  for (const value of attribute.valuesOf[at] ?? []) counts.set(value, (counts.get(value) ?? 0) + 1);
}
