// Which fault strikes where. Each place where something can go wrong asks once, gets the next number, and the seed and
// that number alone decide: so a run can be repeated with some of its faults left out, which is how a failure is shrunk.
import { mix } from './random.ts';
import type { Strike, Strikes } from './strikes.ts';

export const callFaults = [
  'crashBefore',
  'crashAfter',
  'throttle',
  'lostRequest',
  'lostAnswer',
  'repeat',
  'slow',
  'partial',
] as const;
export const deliveryFaults = ['duplicate', 'late', 'crash'] as const;
const indexFaults = ['stale'] as const;
export const netFaults = ['lostRequest', 'lostAnswer', 'late'] as const;
export const userFaults = ['lostRequest', 'lostAnswer'] as const;

export type FaultClass = 'store' | 'write' | 'queue' | 'delivery' | 'index' | 'net';
const kindsOf: Readonly<Record<FaultClass, readonly string[]>> = {
  store: callFaults,
  write: callFaults,
  queue: callFaults,
  delivery: deliveryFaults,
  index: indexFaults,
  net: netFaults,
};

/** What strikes by name only, and where; elsewhere a call can be held. */
const moreOf: Readonly<Partial<Record<FaultClass, readonly string[]>>> = { delivery: ['drop'], index: [] };

export interface Fault {
  readonly number: number;
  readonly kind: string;
  readonly site: string;
  readonly at: number;
  /** Absent = drawn by chance. */
  readonly strike?: Strike;
}

export interface FaultPlan {
  readonly seed: string;
  /** Probability per class. */
  readonly rates: Readonly<Record<FaultClass, number>>;
  /** No faults from this time on, epoch ms. */
  readonly until: number;
  /** Only these numbers, when a failure is being shrunk. */
  readonly only?: ReadonlySet<number>;
}

export class Faults {
  readonly #plan: FaultPlan;
  readonly #now: () => number;
  readonly #strikes: Strikes;
  readonly injected: Fault[] = [];
  #number = 0;

  constructor(plan: FaultPlan, strikes: Strikes, now: () => number) {
    this.#plan = plan;
    this.#strikes = strikes;
    this.#now = now;
  }

  /** Asks for one place; `kinds` narrows the class's faults to those that make sense there. */
  decide(
    group: FaultClass,
    site: string,
    kinds: readonly string[] = kindsOf[group],
    describe: () => string = () => '',
  ): Fault | undefined {
    const number = this.#number++;
    const strike = this.#strikes.at(site, describe);
    if (strike) {
      const { kind } = strike;
      const more = moreOf[group] ?? ['hold'];
      if (![...kinds, ...more].includes(kind)) throw new Error(`${site} cannot go wrong by ${kind}`);
      const struck = { number, kind, site, at: this.#now(), strike };
      this.injected.push(struck);
      return struck;
    }
    if (this.#now() >= this.#plan.until || kinds.length === 0) return undefined;
    if (this.#plan.only && !this.#plan.only.has(number)) return undefined;
    const draw = mix(`${this.#plan.seed}!${number}`) / 4_294_967_296;
    const rate = this.#plan.rates[group];
    if (draw >= rate) return undefined;
    // What is left of the draw is as random as the draw was.
    const kind = kinds[Math.floor((draw / rate) * kinds.length)] as string;
    const fault = { number, kind, site, at: this.#now() };
    this.injected.push(fault);
    return fault;
  }

  /** A number in [0, 1) that belongs to this fault. */
  detail(fault: Fault): number {
    return mix(`${this.#plan.seed}?${fault.number}`) / 4_294_967_296;
  }
}
