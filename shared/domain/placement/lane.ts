// A lane: the agents that one demand fits on, kept in score order. It does not look at all agents for each task: it
// looks at the agents that changed since it was last asked, and at the best one of each open group.
import type { Demand, Fleet } from './fleet.ts';
import type { Gate } from './gate.ts';
import { GroupedHeap } from './grouped-heap.ts';
import type { Partition } from './partition.ts';
import type { Ranker } from './rank.ts';

/** Finds the best agent for a demand among those a gate leaves open, or undefined. */
export interface Finder {
  best(gate: Gate): number | undefined;
}

/** The agents of one demand in a heap, brought up to date when asked. */
export class Lane implements Finder {
  private readonly fleet: Fleet;
  private readonly ranker: Ranker;
  private readonly demand: Demand;
  private readonly heap: GroupedHeap;
  /** By agent: 1 = the score is a lower bound so far; the true one is worked out when the agent comes first. */
  private readonly rough: Uint8Array;
  private readonly memo = new Map<number, number>();
  /** How many of the fleet's changes the heap has followed. */
  private seen: number;
  /** Agents taken out because this gate bars them; they go back when another gate asks. */
  private barred: number[] = [];
  private barredBy: Gate | undefined;

  constructor(fleet: Fleet, ranker: Ranker, demand: Demand, partition: Partition) {
    this.fleet = fleet;
    this.ranker = ranker;
    this.demand = demand;
    this.rough = new Uint8Array(fleet.size);
    this.seen = fleet.changes.length;
    this.heap = new GroupedHeap(partition);
    for (let at = 0; at < fleet.size; at++) {
      if (fleet.closed[at] === 0 && fleet.covers(at, demand)) this.heap.append(at, this.rate(at));
    }
    this.heap.build();
  }

  best(gate: Gate): number | undefined {
    this.catchUp();
    if (this.barredBy !== gate) this.readmit(gate);
    for (;;) {
      const at = this.heap.first(gate.open);
      if (at === undefined) return undefined;
      if (gate.bars(at)) {
        this.heap.setAside(at);
        this.barred.push(at);
      } else if (this.rough[at] === 1) {
        this.rough[at] = 0;
        this.heap.rescore(at, this.ranker.score(at, this.demand, this.memo));
      } else return at;
    }
  }

  private rate(at: number): number {
    const { ranker, demand } = this;
    const rough = ranker.isRough(at, demand);
    this.rough[at] = rough ? 1 : 0;
    return rough ? ranker.base(at, demand) : ranker.score(at, demand, this.memo);
  }

  /** Scores again the agents that changed since the last look; those that no longer fit never will in this plan. */
  private catchUp(): void {
    const { heap } = this;
    const { changes, lastChange } = this.fleet;
    for (; this.seen < changes.length; this.seen++) {
      const at = changes[this.seen] as number;
      if (lastChange[at] !== this.seen || !heap.has(at)) continue;
      if (this.fleet.covers(at, this.demand)) heap.rescore(at, this.rate(at));
      else heap.remove(at);
    }
  }

  private readmit(gate: Gate): void {
    this.barredBy = gate;
    if (this.barred.length === 0) return;
    for (const at of this.barred) if (this.heap.has(at)) this.heap.putBack(at);
    this.barred = [];
  }
}

/** Looks at every candidate each time: for demands so rare, or agents so few, that a lane would not pay. */
export class Scan implements Finder {
  private readonly fleet: Fleet;
  private readonly ranker: Ranker;
  private readonly demand: Demand;
  private readonly memo = new Map<number, number>();

  constructor(fleet: Fleet, ranker: Ranker, demand: Demand) {
    this.fleet = fleet;
    this.ranker = ranker;
    this.demand = demand;
  }

  best(gate: Gate): number | undefined {
    const { fleet, demand } = this;
    const { candidates } = gate;
    const count = candidates?.length ?? fleet.size;
    let best: number | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const at = candidates ? (candidates[i] as number) : i;
      if (fleet.closed[at] === 1 || !fleet.covers(at, demand) || !gate.admits(at)) continue;
      const score = this.ranker.score(at, demand, this.memo);
      if (score < bestScore) {
        best = at;
        bestScore = score;
      }
    }
    return best;
  }
}
