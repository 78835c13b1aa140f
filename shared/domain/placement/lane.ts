// A lane: the agents that one demand fits on, kept in score order. It does not look at all agents for each task: it
// looks at the agents that changed since it was last asked, and at the best one of each open group.
import type { Demand, Fleet } from './fleet.ts';
import type { Gate } from './gate.ts';
import type { Partition } from './partition.ts';
import type { Ranker } from './rank.ts';

/** Finds the best agent for a demand among those a gate leaves open, or undefined. */
export interface Finder {
  best(gate: Gate): number | undefined;
}

const absent = -1;
const aside = -2;

/** One heap of agents per group of the partition, by score and then by position. */
export class Lane implements Finder {
  private readonly fleet: Fleet;
  private readonly ranker: Ranker;
  private readonly demand: Demand;
  private readonly groupOf: Int32Array;
  private readonly heaps: number[][];
  /** Score of the best agent of each group; infinite = none. */
  private readonly tops: Float64Array;
  private readonly scores: Float64Array;
  /** Where an agent is in its heap, or absent, or aside. */
  private readonly places: Int32Array;
  private readonly memo = new Map<number, number>();
  private seen: number;
  /** Agents taken out because this gate bars them; they go back when another gate asks. */
  private barred: number[] = [];
  private barredBy: Gate | undefined;

  constructor(fleet: Fleet, ranker: Ranker, demand: Demand, partition: Partition) {
    this.fleet = fleet;
    this.ranker = ranker;
    this.demand = demand;
    this.groupOf = partition.groupOf;
    this.heaps = partition.samples.map(() => []);
    this.tops = new Float64Array(this.heaps.length);
    this.scores = new Float64Array(fleet.size);
    this.places = new Int32Array(fleet.size).fill(absent);
    this.seen = fleet.changes.length;
    for (let at = 0; at < fleet.size; at++) {
      if (fleet.closed[at] === 1 || !fleet.covers(at, demand)) continue;
      this.scores[at] = ranker.score(at, demand, this.memo);
      this.places[at] = this.heapOf(at).push(at) - 1;
    }
    for (const [group, heap] of this.heaps.entries()) {
      for (let place = (heap.length >> 1) - 1; place >= 0; place--) this.sink(heap, place);
      this.noteTop(group);
    }
  }

  best(gate: Gate): number | undefined {
    this.catchUp();
    if (this.barredBy !== gate) this.readmit(gate);
    for (;;) {
      const at = this.top(gate.open);
      if (at === undefined || !gate.bars(at)) return at;
      this.remove(at);
      this.places[at] = aside;
      this.barred.push(at);
    }
  }

  private top(open: Uint8Array): number | undefined {
    const { tops, heaps } = this;
    let best: number | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let group = 0; group < tops.length; group++) {
      if (open[group] === 0 || (tops[group] as number) > bestScore) continue;
      const at = heaps[group]?.[0];
      if (at === undefined) continue;
      if ((tops[group] as number) < bestScore || best === undefined || at < best) {
        best = at;
        bestScore = tops[group] as number;
      }
    }
    return best;
  }

  /** Scores again the agents that changed since the last look; those that no longer fit never will in this plan. */
  private catchUp(): void {
    const { changes, lastChange } = this.fleet;
    for (; this.seen < changes.length; this.seen++) {
      const at = changes[this.seen] as number;
      const place = this.places[at] as number;
      if (place === absent || lastChange[at] !== this.seen) continue;
      if (!this.fleet.covers(at, this.demand)) {
        if (place !== aside) this.remove(at);
        this.places[at] = absent;
        continue;
      }
      this.scores[at] = this.ranker.score(at, this.demand, this.memo);
      if (place === aside) continue;
      this.settle(this.heapOf(at), place);
      this.noteTop(this.groupOf[at] as number);
    }
  }

  private readmit(gate: Gate): void {
    this.barredBy = gate;
    if (this.barred.length === 0) return;
    for (const at of this.barred) {
      if (this.places[at] !== aside) continue;
      const heap = this.heapOf(at);
      this.rise(heap, heap.push(at) - 1);
      this.noteTop(this.groupOf[at] as number);
    }
    this.barred = [];
  }

  private heapOf(at: number): number[] {
    return this.heaps[this.groupOf[at] as number] as number[];
  }

  private noteTop(group: number): void {
    const at = this.heaps[group]?.[0];
    this.tops[group] = at === undefined ? Number.POSITIVE_INFINITY : (this.scores[at] as number);
  }

  private before(a: number, b: number): boolean {
    const difference = (this.scores[a] as number) - (this.scores[b] as number);
    return difference < 0 || (difference === 0 && a < b);
  }

  private remove(at: number): void {
    const heap = this.heapOf(at);
    const place = this.places[at] as number;
    const last = heap.pop() as number;
    this.places[at] = absent;
    if (last !== at) {
      heap[place] = last;
      this.places[last] = place;
      this.settle(heap, place);
    }
    this.noteTop(this.groupOf[at] as number);
  }

  private settle(heap: number[], place: number): void {
    this.sink(heap, this.rise(heap, place));
  }

  private rise(heap: number[], from: number): number {
    const at = heap[from] as number;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as number;
      if (!this.before(at, above)) break;
      heap[place] = above;
      this.places[above] = place;
      place = parent;
    }
    heap[place] = at;
    this.places[at] = place;
    return place;
  }

  private sink(heap: number[], from: number): void {
    const at = heap[from] as number;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.before(heap[child + 1] as number, heap[child] as number)) child++;
      const below = heap[child] as number;
      if (!this.before(below, at)) break;
      heap[place] = below;
      this.places[below] = place;
      place = child;
    }
    heap[place] = at;
    this.places[at] = place;
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
