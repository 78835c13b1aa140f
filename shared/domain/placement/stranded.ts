// How much GPU an agent leaves unused, expected over the asks that are typical for this plan: the measure of
// Fragmentation Gradient Descent (USENIX ATC 2023) with one change. There a card is lost to a typical task when not even
// one more such task fits; here, when the agent can't be filled up with such tasks, so that cpu and memory that run
// out half way count as well. docs/adr/0002-packing.md has the figures.
import type { Demand, Fleet } from './fleet.ts';
import { wholeCard } from './ledger.ts';

/** A kind of ask expected on this fleet, and its part of all expected asks. */
export interface TypicalAsk {
  readonly demand: Demand;
  readonly weight: number;
}

/** Kinds of ask the measure looks at: all of them in a small plan, fewer the more often it must be taken. */
const fewestKinds = 24;
const mostKinds = 128;
const kindsTimesTasks = 500_000;

/**
 * The GPU asks of a plan; empty if nothing pending asks for GPUs. The weight of a kind is its number of tasks over its
 * cpu: cards left over on an agent will go to those that need little beside them (figures in the ADR).
 */
export function typicalAsks(counted: Iterable<{ demand: Demand; count: number }>): TypicalAsk[] {
  const all = [...counted];
  const tasks = all.reduce((sum, { count }) => sum + count, 0);
  const kinds = Math.min(mostKinds, Math.max(fewestKinds, Math.floor(kindsTimesTasks / Math.max(1, tasks))));
  const asks = all.filter(({ demand }) => demand.gpus > 0);
  const kept = asks.sort((a, b) => b.count - a.count).slice(0, kinds);
  const total = kept.reduce((sum, { count, demand }) => sum + count / demand.cpuMilli, 0);
  return kept.map(({ demand, count }) => ({ demand, weight: count / demand.cpuMilli / total }));
}

/** The measure over one fleet, in thousandths of cards. */
export class StrandedGpu {
  private readonly fleet: Fleet;
  private readonly typical: readonly TypicalAsk[];
  /** Most cards of one agent; room to note which were changed for a computation. */
  private readonly changed: Int32Array;
  private readonly perCpuMilli: Float64Array;
  private readonly perRamMb: Float64Array;
  /** Thousandths that one copy of the ask uses, times its weight. */
  private readonly worth: Float64Array;

  constructor(fleet: Fleet, typical: readonly TypicalAsk[]) {
    this.fleet = fleet;
    this.typical = typical;
    const mostCards = fleet.snapshots.reduce((most, { ledger }) => Math.max(most, ledger.gpus.length), 0);
    this.changed = new Int32Array(mostCards);
    this.perCpuMilli = Float64Array.from(typical, ({ demand }) => 1 / demand.cpuMilli);
    this.perRamMb = Float64Array.from(typical, ({ demand }) => 1 / demand.ramMb);
    this.worth = Float64Array.from(typical, ({ demand, weight }) => weight * demand.gpus * demand.shareMilli);
  }

  /** Of the agent as it is. */
  now(at: number): number {
    const { fleet } = this;
    return this.measure(
      at,
      fleet.cpuMilli[at] as number,
      fleet.ramMb[at] as number,
      fleet.diskMb[at] as number,
    );
  }

  /** Of the agent were the demand taken; `firstCard` as in Fleet.take. Cards are changed only meanwhile. */
  after(at: number, demand: Demand, firstCard: number): number {
    const { fleet, changed } = this;
    const { cardFree } = fleet;
    let count = 0;
    if (demand.gpus > 0) {
      const end = fleet.cardStart[at + 1] as number;
      for (let card = firstCard < 0 ? (fleet.cardStart[at] as number) : firstCard; card < end; card++) {
        if (!fleet.cardTakes(card, demand)) continue;
        cardFree[card] = (cardFree[card] as number) - demand.shareMilli;
        changed[count++] = card;
        if (count === demand.gpus) break;
      }
    }
    const result = this.measure(
      at,
      (fleet.cpuMilli[at] as number) - demand.cpuMilli,
      (fleet.ramMb[at] as number) - demand.ramMb,
      (fleet.diskMb[at] as number) - demand.diskMb,
    );
    while (count > 0) {
      const card = changed[--count] as number;
      cardFree[card] = (cardFree[card] as number) + demand.shareMilli;
    }
    return result;
  }

  private measure(at: number, cpu: number, ram: number, disk: number): number {
    const { fleet, typical } = this;
    const start = fleet.cardStart[at] as number;
    const end = fleet.cardStart[at + 1] as number;
    let free = 0;
    let whole = 0;
    for (let card = start; card < end; card++) {
      const milli = fleet.cardFree[card] as number;
      free += milli;
      if (milli === wholeCard) whole++;
    }
    let used = 0;
    for (let kind = 0; kind < typical.length && free > 0; kind++) {
      const byCpu = cpu * (this.perCpuMilli[kind] as number);
      const byRam = ram * (this.perRamMb[kind] as number);
      // A hair more than the quotient, since k times the reciprocal of k may fall just short of one.
      let copies = Math.floor(Math.min(byCpu, byRam) + 1e-9);
      if (copies < 1) continue;
      const { demand } = (typical as TypicalAsk[])[kind] as TypicalAsk;
      if (demand.diskMb > 0) copies = Math.min(copies, Math.floor(disk / demand.diskMb));
      const onCards =
        demand.shareMilli === wholeCard && demand.models === undefined
          ? Math.floor(whole / demand.gpus)
          : this.cardCopies(start, end, demand);
      used += (this.worth[kind] as number) * Math.min(copies, onCards);
    }
    return free - used;
  }

  private cardCopies(start: number, end: number, demand: Demand): number {
    const { cardFree, cardModel } = this.fleet;
    const { models, shareMilli } = demand;
    let shares = 0;
    for (let card = start; card < end; card++) {
      const free = cardFree[card] as number;
      if (free < shareMilli || (models && models[cardModel[card] as number] !== 1)) continue;
      shares += shareMilli === wholeCard ? 1 : Math.floor(free / shareMilli);
    }
    return demand.gpus === 1 ? shares : Math.floor(shares / demand.gpus);
  }
}
