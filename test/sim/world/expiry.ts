// DynamoDB's time to live: a row whose time has come goes some time later, each when it suits the store, so rows that
// expire together go in any order and hours apart. A row that was given more time meanwhile stays.
import { ttlAttribute } from '../../../shared/store/tables.ts';
import type { ItemChange, MemoryDynamo } from '../model/memory-dynamo.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** How long history is kept, and how late what is kept no more may go. */
export interface HistorySettings {
  /** `HISTORY_SECS`, in ms: rows of ended tasks and jobs. */
  readonly keptMs: number;
  /** `HISTORY_MAX_PER_JOB`. */
  readonly maxPerJob: number;
  /** A row goes at most so long after its time, ms. */
  readonly maxLateMs: number;
}

export interface ExpiryDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly dynamo: () => MemoryDynamo;
  /** A row goes at most so long after its time, ms. */
  readonly maxLateMs: number;
}

export class Expiry {
  readonly #deps: ExpiryDeps;
  removed = 0;

  constructor(deps: ExpiryDeps) {
    this.#deps = deps;
  }

  onCommit(changes: readonly ItemChange[]): void {
    const { scheduler, random, maxLateMs } = this.#deps;
    for (const { table, pk, sk, before, after } of changes) {
      const expiresAt = after?.[ttlAttribute];
      if (typeof expiresAt !== 'number' || expiresAt === before?.[ttlAttribute]) continue;
      const at = expiresAt * 1000 + random.between(1_000, maxLateMs);
      scheduler.at(at, () => {
        if (this.#deps.dynamo().expire(table, pk, sk)) this.removed++;
      });
    }
  }
}
