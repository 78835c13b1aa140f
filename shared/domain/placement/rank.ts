// Rank: which of the agents that could take a task should. Lower is better: first what the placement strands of the
// agent's GPUs (stranded.ts), then how full it leaves cpu and memory. Tasks without GPUs keep off agents with free
// cards, which need their cpu to sell the cards; agents with announced maintenance come last.
import type { Capacity } from '../../model/resources.ts';
import type { Demand, Fleet } from './fleet.ts';
import { wholeCard } from './ledger.ts';
import { StrandedGpu, type TypicalAsk } from './stranded.ts';

/** Worth, in thousandths of a card, of leaving no cpu or no memory over on the chosen agent. */
const fullnessWeight = 1;
/** Cost, in thousandths of a card, of a task without GPUs sitting beside one free card. */
const besideCardWeight = 4;
/** Added for agents with announced maintenance, so that they come last (spec section 2). */
const scheduledPenalty = 1e9;

/** Scores agents for demands. Holds what it computed per agent until that agent changes. */
export class Ranker {
  private readonly fleet: Fleet;
  private readonly stranded: StrandedGpu | undefined;
  private readonly perCpuMilli: number;
  private readonly perRamMb: number;
  private readonly penalty: Float64Array;
  /** Stranded amount and state number per agent as it is, and the change they were computed at. */
  private readonly strandedNow: Float64Array;
  private readonly stateNow: Int32Array;
  private readonly knownAt: Int32Array;
  private readonly states = new Map<string, number>();

  /** Without typical asks nothing is stranded, and only fullness counts. */
  constructor(fleet: Fleet, typical: readonly TypicalAsk[]) {
    this.fleet = fleet;
    this.stranded = typical.length === 0 ? undefined : new StrandedGpu(fleet, typical);
    this.perCpuMilli = fullnessWeight / largest(fleet, (capacity) => capacity.cpuMilli);
    this.perRamMb = fullnessWeight / largest(fleet, (capacity) => capacity.ramMb);
    this.penalty = Float64Array.from(fleet.snapshots, ({ agent }) =>
      agent.mode === 'SCHEDULED' ? scheduledPenalty : 0,
    );
    this.strandedNow = new Float64Array(fleet.size);
    this.stateNow = new Int32Array(fleet.size);
    this.knownAt = new Int32Array(fleet.size).fill(-2);
  }

  /**
   * The part of the score that costs next to nothing. If `isRough` says so of the same agent and demand it is a lower
   * bound, since a task without GPUs can only strand more; otherwise it is short of the stranded part and no bound.
   */
  base(at: number, demand: Demand): number {
    const { fleet } = this;
    const score =
      (this.penalty[at] as number) +
      ((fleet.cpuMilli[at] as number) - demand.cpuMilli) * this.perCpuMilli +
      ((fleet.ramMb[at] as number) - demand.ramMb) * this.perRamMb;
    return demand.gpus === 0
      ? score + (besideCardWeight / wholeCard) * (fleet.cardsFree[at] as number)
      : score;
  }

  /** True if `base` is a lower bound worth starting from; false if `score` is. */
  isRough(at: number, demand: Demand): boolean {
    return this.stranded !== undefined && demand.gpus === 0 && (this.fleet.cardsFree[at] as number) > 0;
  }

  /** Score of placing the demand on the agent, which must cover it. `memo` belongs to this one demand. */
  score(at: number, demand: Demand, memo: Map<number, number>): number {
    const base = this.base(at, demand);
    if (!this.stranded || this.fleet.cardsFree[at] === 0) return base;
    this.refresh(this.stranded, at);
    const state = this.stateNow[at] as number;
    let change = memo.get(state);
    if (change === undefined) {
      change = this.stranded.after(at, demand, this.bestCard(at, demand)) - (this.strandedNow[at] as number);
      memo.set(state, change);
    }
    return base + change;
  }

  /** The card (flat position) on which a share strands least, the fullest one if equal; -1 for whole cards or none. */
  bestCard(at: number, demand: Demand): number {
    if (demand.gpus === 0 || demand.shareMilli === wholeCard) return -1;
    const { fleet } = this;
    let best = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    const start = fleet.cardStart[at] as number;
    const end = fleet.cardStart[at + 1] as number;
    for (let card = start; card < end; card++) {
      if (!fleet.cardTakes(card, demand) || this.sameAsEarlier(start, card)) continue;
      const tie = (fleet.cardFree[card] as number) / (wholeCard * wholeCard);
      const score = (this.stranded?.after(at, demand, card) ?? 0) + tie;
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
  private refresh(stranded: StrandedGpu, at: number): void {
    const { fleet } = this;
    const change = fleet.lastChange[at] as number;
    if (this.knownAt[at] === change) return;
    this.knownAt[at] = change;
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
    this.strandedNow[at] = stranded.now(at);
  }
}

function largest(fleet: Fleet, amount: (capacity: Capacity) => number): number {
  return fleet.snapshots.reduce((most, { agent }) => Math.max(most, amount(agent.capacity)), 1);
}
