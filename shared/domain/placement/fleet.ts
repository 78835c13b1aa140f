// The agents of one plan as flat arrays: free amounts that shrink while the plan grows, and attributes turned into
// small integers. 10,000 agents are compared 100,000 times here, so this is laid out for the loop, not for reading
// one agent; filter.ts has the readable rule.
import type { GpuDevice } from '../../model/resources.ts';
import { AttributeIndex } from './attribute-index.ts';
import { closedVeto } from './filter.ts';
import { acceptsModel, cardShareMilli, portCount } from './ledger.ts';
import { compareText } from './order.ts';
import type { AgentSnapshot, PendingTask } from './types.ts';

/** A resource ask in the units of the arrays below. */
export interface Demand {
  readonly cpuMilli: number;
  readonly ramMb: number;
  readonly diskMb: number;
  readonly gpus: number;
  /** Thousandths taken of each card. */
  readonly shareMilli: number;
  /** By model number: 1 = acceptable; undefined = any. */
  readonly models: Uint8Array | undefined;
}

/** Free amounts and attributes of every agent, by position; positions follow agent ids. */
export class Fleet {
  readonly snapshots: readonly AgentSnapshot[];
  readonly size: number;
  readonly cpuMilli: Float64Array;
  readonly ramMb: Float64Array;
  readonly diskMb: Float64Array;
  readonly ports: Int32Array;
  /** By agent: 1 = maintenance keeps new tasks off. */
  readonly closed: Uint8Array;
  /** Cards of agent a are positions cardStart[a] .. cardStart[a + 1] - 1. */
  readonly cardStart: Int32Array;
  readonly cardFree: Int32Array;
  readonly cardModel: Int32Array;
  /** Thousandths free on all cards of an agent together. */
  readonly cardsFree: Int32Array;
  /** Positions of the agents changed so far, in order; lanes replay the part they haven't seen. */
  readonly changes: number[] = [];
  /** Position in `changes` of an agent's latest change, so a lane looks at each agent once; -1 = none. */
  readonly lastChange: Int32Array;
  private readonly positions: Map<string, number>;
  private readonly models = new Map<string, number>();
  private readonly attributes = new Map<string, AttributeIndex>();

  constructor(agents: readonly AgentSnapshot[]) {
    this.snapshots = [...agents].sort((a, b) => compareText(a.agent.agentId, b.agent.agentId));
    this.size = this.snapshots.length;
    this.positions = new Map(this.snapshots.map((snapshot, at) => [snapshot.agent.agentId, at]));
    this.cpuMilli = Float64Array.from(this.snapshots, ({ ledger }) => ledger.freeCpuMilli);
    this.ramMb = Float64Array.from(this.snapshots, ({ ledger }) => ledger.freeRamMb);
    this.diskMb = Float64Array.from(this.snapshots, ({ ledger }) => ledger.freeDiskMb);
    this.ports = Int32Array.from(
      this.snapshots,
      ({ agent, ledger }) => portCount(agent.capacity) - ledger.usedPorts.length,
    );
    this.cardsFree = Int32Array.from(this.snapshots, ({ ledger }) =>
      ledger.gpus.reduce((sum, card) => sum + freeOf(card), 0),
    );
    this.closed = Uint8Array.from(this.snapshots, ({ agent }) => (closedVeto(agent) ? 1 : 0));
    this.lastChange = new Int32Array(this.size).fill(-1);
    this.cardStart = new Int32Array(this.size + 1);
    for (const [at, { ledger }] of this.snapshots.entries()) {
      this.cardStart[at + 1] = (this.cardStart[at] ?? 0) + ledger.gpus.length;
    }
    const cards = this.snapshots.flatMap(({ ledger }) => ledger.gpus);
    this.cardFree = Int32Array.from(cards, freeOf);
    this.cardModel = Int32Array.from(cards, (card) => this.modelNumber(card.model));
  }

  /** Where an agent stands, or undefined if it isn't in this plan. */
  positionOf(agentId: string): number | undefined {
    return this.positions.get(agentId);
  }

  /** The index of one attribute over all agents, made once. */
  attribute(name: string): AttributeIndex {
    let index = this.attributes.get(name);
    if (!index) {
      index = new AttributeIndex(name, this.snapshots);
      this.attributes.set(name, index);
    }
    return index;
  }

  /** A task's resources in this fleet's numbers. */
  demandOf(resources: PendingTask['resources']): Demand {
    const { gpuModels } = resources;
    return {
      cpuMilli: resources.cpuMilli,
      ramMb: resources.ramMb,
      diskMb: resources.diskMb,
      gpus: resources.gpus,
      shareMilli: cardShareMilli(resources),
      models:
        resources.gpus > 0 && gpuModels.length > 0
          ? Uint8Array.from(this.models.keys(), (model) => (acceptsModel(gpuModels, model) ? 1 : 0))
          : undefined,
    };
  }

  /** True if the agent's free amounts cover the demand; ports are the gate's business. */
  covers(at: number, demand: Demand): boolean {
    return (
      (this.cpuMilli[at] as number) >= demand.cpuMilli &&
      (this.ramMb[at] as number) >= demand.ramMb &&
      (this.diskMb[at] as number) >= demand.diskMb &&
      (demand.gpus === 0 || this.hasCards(at, demand))
    );
  }

  /** True if enough acceptable cards have the share free. */
  hasCards(at: number, demand: Demand): boolean {
    let wanted = demand.gpus;
    const end = this.cardStart[at + 1] as number;
    for (let card = this.cardStart[at] as number; card < end; card++) {
      if (this.cardTakes(card, demand) && --wanted === 0) return true;
    }
    return false;
  }

  /** True if this card (by flat position) is acceptable and has the share free. */
  cardTakes(card: number, demand: Demand): boolean {
    return (
      (this.cardFree[card] as number) >= demand.shareMilli &&
      (demand.models === undefined || demand.models[this.cardModel[card] as number] === 1)
    );
  }

  /** Takes the demand and so many ports from an agent. `firstCard` is the card for a share (flat position), or -1 for whole cards. */
  take(at: number, demand: Demand, ports: number, firstCard: number): [number, number][] {
    this.cpuMilli[at] = (this.cpuMilli[at] as number) - demand.cpuMilli;
    this.ramMb[at] = (this.ramMb[at] as number) - demand.ramMb;
    this.diskMb[at] = (this.diskMb[at] as number) - demand.diskMb;
    this.ports[at] = (this.ports[at] as number) - ports;
    this.lastChange[at] = this.changes.push(at) - 1;
    return demand.gpus === 0 ? [] : this.takeCards(at, demand, firstCard);
  }

  private takeCards(at: number, demand: Demand, firstCard: number): [number, number][] {
    const start = this.cardStart[at] as number;
    const end = this.cardStart[at + 1] as number;
    const grant: [number, number][] = [];
    for (let card = firstCard < 0 ? start : firstCard; card < end && grant.length < demand.gpus; card++) {
      if (!this.cardTakes(card, demand)) continue;
      this.cardFree[card] = (this.cardFree[card] as number) - demand.shareMilli;
      grant.push([card - start, demand.shareMilli]);
    }
    this.cardsFree[at] = (this.cardsFree[at] as number) - demand.gpus * demand.shareMilli;
    return grant;
  }

  private modelNumber(model: string): number {
    let number = this.models.get(model);
    if (number === undefined) {
      number = this.models.size;
      this.models.set(model, number);
    }
    return number;
  }
}

/** A card that is gone while tasks hold it has less than nothing free (store/rebase-ledger.ts). */
function freeOf({ freeMilli }: GpuDevice): number {
  return Math.max(0, freeMilli);
}
