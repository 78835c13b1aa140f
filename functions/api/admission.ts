// Whether the installation takes on more work. Tasks that wait lie in the table and cost a matcher time with every run, so
// their number is bounded: beyond the limit a submission is refused before anything is written, with the time after which
// a further try has a chance. What is known is an estimate, counted now and then while the process is warm, plus what was
// taken since; the bound is therefore exceeded by what other processes take between two counts.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Log } from '../ports.ts';

export interface Admission {
  /** BACKLOG_FULL if a pool has no room for more. `demand`: new instances by pool. Nothing is written either way. */
  admit(demand: ReadonlyMap<string, number>): Promise<void>;
}

export interface AdmissionDeps {
  readonly store: Pick<Store, 'countBacklog'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Tasks of one pool that may wait, those of jobs that are not carried out yet included. */
  readonly limit: number;
}

/** A count is believed for so long; a large one, which costs more to make, for longer. */
const freshMs = 2_000;
const freshLargeMs = 15_000;
const large = 10_000;
const shortestWaitSecs = 5;
const longestWaitSecs = 60;
const maxPools = 1_000;

interface Estimate {
  readonly countedAt: number;
  /** Tasks that wait, and jobs to be carried out, when it was counted. */
  readonly counted: number;
  /** Instances taken since by this process. */
  taken: number;
}

/** Remembers its counts while the process is warm. */
export function createAdmission({ store, clock, log, limit }: AdmissionDeps): Admission {
  const estimates = new Map<string, Estimate>();
  const counting = new Map<string, Promise<Estimate>>();

  const count = async (pool: string): Promise<Estimate> => {
    const countedAt = clock();
    const { tasks, jobs } = await store.countBacklog(pool, limit);
    const estimate = { countedAt, counted: tasks + jobs, taken: 0 };
    if (estimates.size >= maxPools) estimates.clear();
    estimates.set(pool, estimate);
    return estimate;
  };
  const current = (pool: string): Promise<Estimate> => {
    const known = estimates.get(pool);
    if (known && clock() - known.countedAt < (known.counted > large ? freshLargeMs : freshMs)) {
      return Promise.resolve(known);
    }
    const running = counting.get(pool) ?? count(pool).finally(() => counting.delete(pool));
    counting.set(pool, running);
    return running;
  };

  return {
    async admit(demand) {
      const pools = await Promise.all(
        [...demand.keys()].map(async (pool) => [pool, await current(pool)] as const),
      );
      for (const [pool, { counted, taken }] of pools) {
        if (counted + taken < limit) continue;
        log.warn('more work is refused, for too much waits already', {
          pool,
          waiting: counted + taken,
          limit,
        });
        throw full(pool, counted + taken, limit);
      }
      for (const [pool, estimate] of pools) estimate.taken += demand.get(pool) ?? 0;
    },
  };
}

function full(pool: string, waiting: number, limit: number): BorealisError {
  const over = (waiting - limit) / limit;
  const retryAfterSecs = Math.min(longestWaitSecs, Math.round(shortestWaitSecs + 30 * over));
  return new BorealisError(
    'BACKLOG_FULL',
    `pool ${pool} has about ${waiting} tasks waiting, and takes no more from ${limit} on; nothing was stored. Try again in ${retryAfterSecs} s.`,
    { details: { pool, waiting, limit, retryAfterSecs } },
  );
}
