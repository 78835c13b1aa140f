// Agents by score, one binary heap per group of a partition, in flat arrays. The first of all open groups is found by
// looking at the groups' tops, a block of groups at a time.
import type { Partition } from './partition.ts';

const absent = -1;
const aside = -2;
const blockSize = 32;

/** Lowest score first, then lowest position. */
export class GroupedHeap {
  private readonly groupOf: Int32Array;
  private readonly starts: Int32Array;
  /** Agents, group by group; the first `lengths[group]` of a group's stretch are its heap. */
  private readonly slots: Int32Array;
  private readonly lengths: Int32Array;
  private readonly scores: Float64Array;
  /** Slot of each agent, or absent, or aside. */
  private readonly places: Int32Array;
  /** Score of the first agent of each group; infinite = none. */
  private readonly tops: Float64Array;
  /** Lowest of the tops of each block of groups, or a lower bound of it. */
  private readonly blocks: Float64Array;

  constructor({ groupOf, starts, samples }: Partition) {
    this.groupOf = groupOf;
    this.starts = starts;
    this.slots = new Int32Array(groupOf.length);
    this.lengths = new Int32Array(samples.length);
    this.scores = new Float64Array(groupOf.length);
    this.places = new Int32Array(groupOf.length).fill(absent);
    this.tops = new Float64Array(samples.length).fill(Number.POSITIVE_INFINITY);
    this.blocks = new Float64Array(Math.ceil(samples.length / blockSize)).fill(Number.POSITIVE_INFINITY);
  }

  /** Adds an agent without order; call `build` after the last one. */
  append(at: number, score: number): void {
    this.scores[at] = score;
    this.place(at);
  }

  /** Brings what was appended into order. */
  build(): void {
    for (let group = 0; group < this.lengths.length; group++) {
      const start = this.starts[group] as number;
      for (let index = ((this.lengths[group] as number) >> 1) - 1; index >= 0; index--)
        this.sink(start + index);
      this.noteTop(group);
    }
  }

  /** True if the agent is in a heap or aside. */
  has(at: number): boolean {
    return this.places[at] !== absent;
  }

  /** The first agent of all open groups, or undefined. */
  first(open: Uint8Array): number | undefined {
    const { blocks } = this;
    let lowest = 0;
    for (let block = 1; block < blocks.length; block++) {
      if ((blocks[block] as number) < (blocks[lowest] as number)) lowest = block;
    }
    let best = this.firstOfBlock(lowest, open, undefined);
    for (let block = 0; block < blocks.length; block++) {
      const bound = best === undefined ? Number.POSITIVE_INFINITY : (this.scores[best] as number);
      if (block === lowest || (blocks[block] as number) > bound || blocks[block] === Number.POSITIVE_INFINITY)
        continue;
      best = this.firstOfBlock(block, open, best);
    }
    return best;
  }

  /** Gives an agent a new score; one that is aside stays there. */
  rescore(at: number, score: number): void {
    this.scores[at] = score;
    const place = this.places[at] as number;
    if (place < 0) return;
    this.sink(this.rise(place));
    this.noteTop(this.groupOf[at] as number);
  }

  /** Takes an agent out for good. */
  remove(at: number): void {
    this.takeOut(at);
    this.places[at] = absent;
  }

  /** Takes an agent out until `putBack`. */
  setAside(at: number): void {
    this.takeOut(at);
    this.places[at] = aside;
  }

  /** Puts an agent back that was set aside. */
  putBack(at: number): void {
    this.rise(this.place(at));
    this.noteTop(this.groupOf[at] as number);
  }

  private place(at: number): number {
    const group = this.groupOf[at] as number;
    const length = this.lengths[group] as number;
    const place = (this.starts[group] as number) + length;
    this.slots[place] = at;
    this.places[at] = place;
    this.lengths[group] = length + 1;
    return place;
  }

  private takeOut(at: number): void {
    const place = this.places[at] as number;
    if (place < 0) return;
    const group = this.groupOf[at] as number;
    const length = (this.lengths[group] as number) - 1;
    this.lengths[group] = length;
    const last = this.slots[(this.starts[group] as number) + length] as number;
    if (last !== at) {
      this.slots[place] = last;
      this.places[last] = place;
      this.sink(this.rise(place));
    }
    this.noteTop(group);
  }

  /** The best of `best` and the open groups of a block; corrects the block's bound on the way. */
  private firstOfBlock(block: number, open: Uint8Array, best: number | undefined): number | undefined {
    const { tops } = this;
    const end = Math.min(tops.length, (block + 1) * blockSize);
    let found = best;
    let bound = best === undefined ? Number.POSITIVE_INFINITY : (this.scores[best] as number);
    let lowest = Number.POSITIVE_INFINITY;
    for (let group = block * blockSize; group < end; group++) {
      const score = tops[group] as number;
      if (score < lowest) lowest = score;
      if (score > bound || open[group] === 0 || this.lengths[group] === 0) continue;
      const at = this.slots[this.starts[group] as number] as number;
      if (score === bound && found !== undefined && at > found) continue;
      found = at;
      bound = score;
    }
    this.blocks[block] = lowest;
    return found;
  }

  private noteTop(group: number): void {
    const score =
      this.lengths[group] === 0
        ? Number.POSITIVE_INFINITY
        : (this.scores[this.slots[this.starts[group] as number] as number] as number);
    this.tops[group] = score;
    const block = Math.floor(group / blockSize);
    if (score < (this.blocks[block] as number)) this.blocks[block] = score;
  }

  private before(a: number, b: number): boolean {
    const difference = (this.scores[a] as number) - (this.scores[b] as number);
    return difference < 0 || (difference === 0 && a < b);
  }

  private rise(from: number): number {
    const { slots, places } = this;
    const at = slots[from] as number;
    const start = this.starts[this.groupOf[at] as number] as number;
    let place = from;
    while (place > start) {
      const parent = start + ((place - start - 1) >> 1);
      const above = slots[parent] as number;
      if (!this.before(at, above)) break;
      slots[place] = above;
      places[above] = place;
      place = parent;
    }
    slots[place] = at;
    places[at] = place;
    return place;
  }

  private sink(from: number): void {
    const { slots, places } = this;
    const at = slots[from] as number;
    const group = this.groupOf[at] as number;
    const start = this.starts[group] as number;
    const end = start + (this.lengths[group] as number);
    let place = from;
    for (;;) {
      let child = start + 2 * (place - start) + 1;
      if (child >= end) break;
      if (child + 1 < end && this.before(slots[child + 1] as number, slots[child] as number)) child++;
      const below = slots[child] as number;
      if (!this.before(below, at)) break;
      slots[place] = below;
      places[below] = place;
      place = child;
    }
    slots[place] = at;
    places[at] = place;
  }
}
