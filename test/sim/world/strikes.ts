// Faults by name rather than by chance: a directed scenario says which call of which function shall go wrong, or wait
// until another one has been carried out, so that two things that seldom meet do meet.
import type { Action } from '../scenario.ts';
import type { callFaults, deliveryFaults, netFaults } from './faults.ts';
import type { Scheduler } from './scheduler.ts';

/** Where something happens. */
interface Place {
  /**
   * As faults name it: `matcher TransactWrite` (function and operation), `a0 reports`, `a0 asks`, `intake delivery`,
   * `stream delivery`, `onagent index`, `users call`.
   */
  readonly site: string;
  /** Only where the text that the trace shows contains this: keys of a write, the body of a report. */
  readonly about?: string;
}

export interface Strike extends Place {
  /**
   * hold: it waits, as a process that is paused or a packet that is late, and is carried out then. drop: records of the
   * stream are given up. stale: an index shows the change after `forMs`. Everything else as if drawn by chance (faults.ts).
   */
  readonly kind:
    | 'hold'
    | 'drop'
    | 'stale'
    | (typeof callFaults)[number]
    | (typeof netFaults)[number]
    | (typeof deliveryFaults)[number];
  /** Not before, ms after the beginning. */
  readonly from?: number;
  /** So many that match are let through first. */
  readonly skip?: number;
  /** Done by users or to machines at the moment it strikes. */
  readonly meanwhile?: readonly Action[];
  /** A hold ends when this has been carried out, ... */
  readonly until?: Place;
  /**
   * ... and when it has lasted for so long, ms. If it should have ended before, it has missed its aim. Of a report that is
   * late: by how much.
   */
  readonly forMs?: number;
}

interface Watched {
  readonly strike: Strike;
  matches: number;
  state: 'waiting' | 'held' | 'missed' | 'struck';
  /** What it was to wait for came before it got so far. */
  hasPassed: boolean;
  release?: () => void;
}

const longestHoldMs = 60_000;

export class Strikes {
  readonly #watched: readonly Watched[];
  readonly #scheduler: Scheduler;
  readonly #beganAt: number;
  readonly #onStrike: (strike: Strike) => void;

  constructor(strikes: readonly Strike[], scheduler: Scheduler, onStrike: (strike: Strike) => void) {
    this.#watched = strikes.map((strike) => ({
      strike,
      matches: 0,
      state: 'waiting',
      hasPassed: false,
    }));
    this.#scheduler = scheduler;
    this.#beganAt = scheduler.now;
    this.#onStrike = onStrike;
  }

  /** Those that did not meet what they were for: the scenario is out of date. */
  missed(): Strike[] {
    return this.#watched.filter(({ state }) => state !== 'struck').map(({ strike }) => strike);
  }

  /** The strike for this place, if there is one; it is used up. */
  at(site: string, describe: () => string): Strike | undefined {
    for (const watched of this.#watched) {
      const { strike } = watched;
      if (watched.state !== 'waiting' || !covers(strike, site, describe)) continue;
      if (this.#scheduler.now < this.#beganAt + (strike.from ?? 0)) continue;
      if (watched.matches++ < (strike.skip ?? 0)) continue;
      watched.state = strike.kind === 'hold' ? 'held' : 'struck';
      this.#scheduler.after(0, () => this.#onStrike(strike));
      return strike;
    }
    return undefined;
  }

  /** Does the work when the hold is over. */
  hold(strike: Strike, work: () => void): void {
    const watched = this.#watched.find((one) => one.strike === strike);
    if (!watched) throw new Error(`${strike.site} is held by nothing`);
    const end = (state: Watched['state']) => () => {
      if (watched.state !== 'held') return;
      watched.state = state;
      work();
    };
    watched.release = end('struck');
    if (watched.hasPassed) watched.release();
    const isAimless = strike.until === undefined;
    this.#scheduler.after(strike.forMs ?? longestHoldMs, end(isAimless ? 'struck' : 'missed'));
  }

  /** It was carried out: whoever waits for it goes on. */
  passed(site: string, describe: () => string): void {
    for (const watched of this.#watched) {
      const { strike, state, release } = watched;
      if (state !== 'held' || !strike.until || !covers(strike.until, site, describe)) continue;
      watched.hasPassed = true;
      if (release) this.#scheduler.after(1, release);
    }
  }
}

function covers({ site, about }: Place, actual: string, describe: () => string): boolean {
  return site === actual && (about === undefined || describe().includes(about));
}
