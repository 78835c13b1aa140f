// A lane: the agents that one shape of ask may go to, kept in score order. It does not look at all agents for each
// task: it looks at the agents that changed since it was last asked, and at the best one of each group.
import type { Demand, Fleet } from './fleet.ts';
import type { Gate, Partition } from './limits.ts';
import type { Ranker } from './rank.ts';

const absent = -1;
const aside = -2;

/** One heap of agents per group of a partition, by score and then by position. */
export class Lane {
  private readonly fleet: Fleet;
  private readonly ranker: Ranker;
  private readonly demand: Demand;
  private readonly groupOf: Int32Array;
  private readonly heaps: number[][];
  private readonly scores: Float64Array;
  /** Where an agent is in its heap, or absent, or aside. */
  private readonly places: Int32Array;
  private readonly memo = new Map<number, number>();
  private seen: number;
  /** Agents taken out because a limit of this gate's job bars them; they go back for the next job. */
  private barred: number[] = [];
  private barredBy: Gate | undefined;

  constructor(fleet: Fleet, ranker: Ranker, demand: Demand, eligible: Int32Array, partition: Partition) {
    this.fleet = fleet;
    this.ranker = ranker;
    this.demand = demand;
    this.groupOf = partition.groupOf;
    this.heaps = Array.from({ length: partition.count }, () => []);
    this.scores = new Float64Array(fleet.size);
    this.places = new Int32Array(fleet.size).fill(absent);
    this.seen = fleet.changes.length;
    for (const at of eligible) {
      if (!fleet.covers(at, demand)) continue;
      this.scores[at] = ranker.score(at, demand, this.memo);
      const heap = this.heapOf(at);
      this.places[at] = heap.push(at) - 1;
    }
    for (const heap of this.heaps) {
      for (let place = (heap.length >> 1) - 1; place >= 0; place--) this.sink(heap, place);
    }
  }

  /** The best agent for the demand now, or undefined. With a gate, one whose limits aren't reached. */
  best(gate: Gate | undefined): number | undefined {
    this.catchUp();
    if (this.barredBy !== gate) this.readmit(gate);
    for (;;) {
      const at = this.top(gate);
      if (at === undefined || !gate?.bars(at)) return at;
      this.remove(at);
      this.places[at] = aside;
      this.barred.push(at);
    }
  }

  private top(gate: Gate | undefined): number | undefined {
    const { heaps } = this;
    if (heaps.length === 1) return gate?.closed[0] === 1 ? undefined : heaps[0]?.[0];
    let best: number | undefined;
    for (let group = 0; group < heaps.length; group++) {
      if (gate?.closed[group] === 1) continue;
      const at = heaps[group]?.[0];
      if (at !== undefined && (best === undefined || this.before(at, best))) best = at;
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
      if (place !== aside) this.settle(this.heapOf(at), place);
    }
  }

  private readmit(gate: Gate | undefined): void {
    for (const at of this.barred) {
      if (this.places[at] !== aside) continue;
      const heap = this.heapOf(at);
      const place = heap.push(at) - 1;
      this.places[at] = place;
      this.rise(heap, place);
    }
    this.barred = [];
    this.barredBy = gate;
  }

  private heapOf(at: number): number[] {
    return this.heaps[this.groupOf[at] as number] as number[];
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
    if (last === at) return;
    heap[place] = last;
    this.places[last] = place;
    this.settle(heap, place);
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
