// Rank: which of the agents that could take a task should. The score of an agent is how much GPU the placement would
// strand there, after Fragmentation Gradient Descent (USENIX ATC 2023), with one change: a card counts as stranded
// for a typical task not when the next such task no longer fits, but when the agent can't be filled up with such
// tasks. docs/adr/0002-packing.md has what was tried. Lower is better. Ties go to the agent left fullest.
import type { Capacity } from '../../model/resources.ts';
import type { Demand, Fleet } from './fleet.ts';
import { wholeCard } from './ledger.ts';

/** A kind of ask expected on this fleet, and its part of all expected asks. */
export interface TypicalAsk {
  readonly demand: Demand;
  readonly weight: number;
}

/** How many kinds of ask the measure looks at: the most frequent ones say nearly all (figures in the ADR). */
const typicalKinds = 24;
/** Worth, in thousandths of a card, of leaving no cpu or no memory over on the chosen agent. */
const fullnessWeight = 1;
/** Cost, in thousandths of a card, of a task without GPUs sitting beside one free card. */
const besideCardWeight = 4;
/** Added for agents with announced maintenance, so that they come last (spec section 2). */
const scheduledPenalty = 1e9;

/** The GPU asks of a plan by frequency; empty if nothing pending asks for GPUs. */
export function typicalAsks(counted: Iterable<{ demand: Demand; count: number }>): TypicalAsk[] {
  const asks = [...counted].filter(({ demand }) => demand.gpus > 0);
  asks.sort((a, b) => b.count - a.count);
  const kept = asks.slice(0, typicalKinds);
  const total = kept.reduce((sum, { count }) => sum + count, 0);
  return kept.map(({ demand, count }) => ({ demand, weight: count / total }));
}

function largest(fleet: Fleet, amount: (capacity: Capacity) => number): number {
  return fleet.snapshots.reduce((most, { agent }) => Math.max(most, amount(agent.capacity)), 1);
}

/** Scores agents for demands. Holds what it computed per agent until that agent changes. */
export class Ranker {
  private readonly fleet: Fleet;
  private readonly typical: readonly TypicalAsk[];
  private readonly largestCpuMilli: number;
  private readonly largestRamMb: number;
  /** Stranded thousandths of a card per agent as it is, and the change it was computed at. */
  private readonly stranded: Float64Array;
  private readonly strandedAt: Int32Array;
  private readonly states = new Map<string, number>();
  private readonly stateNow: Int32Array;

  constructor(fleet: Fleet, typical: readonly TypicalAsk[]) {
    this.fleet = fleet;
    this.typical = typical;
    this.largestCpuMilli = largest(fleet, (capacity) => capacity.cpuMilli);
    this.largestRamMb = largest(fleet, (capacity) => capacity.ramMb);
    this.stranded = new Float64Array(fleet.size);
    this.strandedAt = new Int32Array(fleet.size).fill(-2);
    this.stateNow = new Int32Array(fleet.size);
  }

  /** Score of placing the demand on the agent; the agent must cover it. `memo` belongs to one demand. */
  score(at: number, demand: Demand, memo: Map<number, number>): number {
    const { fleet } = this;
    const leftCpu = ((fleet.cpuMilli[at] as number) - demand.cpuMilli) / this.largestCpuMilli;
    const leftRam = ((fleet.ramMb[at] as number) - demand.ramMb) / this.largestRamMb;
    let score = fullnessWeight * (leftCpu + leftRam);
    if (fleet.snapshots[at]?.agent.mode === 'SCHEDULED') score += scheduledPenalty;
    if (fleet.cardStart[at] === fleet.cardStart[at + 1]) return score;
    if (demand.gpus === 0) score += besideCardWeight * fleet.freeCards(at);
    if (this.typical.length === 0) return score;
    this.refresh(at);
    const state = this.stateNow[at] as number;
    let change = memo.get(state);
    if (change === undefined) {
      change = this.strandedAfter(at, demand, this.bestCard(at, demand)) - (this.stranded[at] as number);
      memo.set(state, change);
    }
    return score + change;
  }

  /** The card (flat position) on which a share strands least, the fullest one if equal; -1 if whole cards are asked. */
  bestCard(at: number, demand: Demand): number {
    if (demand.gpus === 0 || demand.shareMilli === wholeCard) return -1;
    const { fleet } = this;
    let best = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    const start = fleet.cardStart[at] as number;
    const end = fleet.cardStart[at + 1] as number;
    for (let card = start; card < end; card++) {
      if (!fleet.cardTakes(card, demand) || this.sameAsEarlier(start, card)) continue;
      const free = fleet.cardFree[card] as number;
      const score = this.strandedAfter(at, demand, card) + free / (wholeCard * wholeCard);
      if (score < bestScore) {
        bestScore = score;
        best = card;
      }
    }
    return best;
  }

  private sameAsEarlier(start: number, card: number): boolean {
    const { cardFree, cardModel } = this.fleet;
    for (let other = start; other < card; other++) {
      if (cardFree[other] === cardFree[card] && cardModel[other] === cardModel[card]) return true;
    }
    return false;
  }

  /** Brings the agent's state number and stranded amount up to date. Equal states have equal numbers. */
  private refresh(at: number): void {
    const { fleet } = this;
    const change = fleet.lastChange[at] as number;
    if (this.strandedAt[at] === change) return;
    this.strandedAt[at] = change;
    const cards: number[] = [];
    const end = fleet.cardStart[at + 1] as number;
    for (let card = fleet.cardStart[at] as number; card < end; card++) {
      cards.push((fleet.cardModel[card] as number) * (wholeCard + 1) + (fleet.cardFree[card] as number));
    }
    cards.sort((a, b) => a - b);
    const key = `${fleet.cpuMilli[at]},${fleet.ramMb[at]},${fleet.diskMb[at]},${cards.join()}`;
    let state = this.states.get(key);
    if (state === undefined) {
      state = this.states.size;
      this.states.set(key, state);
    }
    this.stateNow[at] = state;
    this.stranded[at] = this.strandedWith(
      at,
      fleet.cpuMilli[at] as number,
      fleet.ramMb[at] as number,
      fleet.diskMb[at] as number,
    );
  }

  /** Stranded amount were the demand taken; cards are changed for the time of the computation only. */
  private strandedAfter(at: number, demand: Demand, firstCard: number): number {
    const { fleet } = this;
    const { cardFree } = fleet;
    const cpu = (fleet.cpuMilli[at] as number) - demand.cpuMilli;
    const ram = (fleet.ramMb[at] as number) - demand.ramMb;
    const disk = (fleet.diskMb[at] as number) - demand.diskMb;
    if (demand.gpus === 0) return this.strandedWith(at, cpu, ram, disk);
    const start = fleet.cardStart[at] as number;
    const end = fleet.cardStart[at + 1] as number;
    const taken: number[] = [];
    for (let card = firstCard < 0 ? start : firstCard; card < end && taken.length < demand.gpus; card++) {
      if (!fleet.cardTakes(card, demand)) continue;
      cardFree[card] = (cardFree[card] as number) - demand.shareMilli;
      taken.push(card);
    }
    const result = this.strandedWith(at, cpu, ram, disk);
    for (const card of taken) cardFree[card] = (cardFree[card] as number) + demand.shareMilli;
    return result;
  }

  /** Thousandths of cards that stay unused when the agent is filled with each typical ask in turn, on average. */
  private strandedWith(at: number, cpu: number, ram: number, disk: number): number {
    const { fleet } = this;
    const start = fleet.cardStart[at] as number;
    const end = fleet.cardStart[at + 1] as number;
    let free = 0;
    for (let card = start; card < end; card++) free += fleet.cardFree[card] as number;
    let used = 0;
    for (const { demand, weight } of this.typical) {
      let copies = Math.floor(Math.min(cpu / demand.cpuMilli, ram / demand.ramMb));
      if (demand.diskMb > 0) copies = Math.min(copies, Math.floor(disk / demand.diskMb));
      if (copies > 0) copies = Math.min(copies, this.cardCopies(start, end, demand));
      used += weight * copies * demand.gpus * demand.shareMilli;
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
