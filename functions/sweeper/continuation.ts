// A sweep that runs out of time goes on in another invocation of itself, at once and not at the next minute. A lease says
// which shards it goes on with, so that the sweeps of the next minutes leave them to it; who holds it is the only one
// that goes on, however often the event is delivered. It ends by itself, so whatever gets lost on the way costs a minute
// or two.
import type { Clock, IdSource } from '../../shared/lib/ports.ts';
import type { SweepRound } from '../../shared/model/wake.ts';
import type { Store, SweepLease } from '../../shared/store/port.ts';
import type { Log, RemainingTime } from '../ports.ts';

export interface ContinuationDeps {
  readonly store: Pick<Store, 'getSweepLease' | 'putSweepLease'>;
  /** Calls the sweeper again; absent where nobody would hear it: the next minute does the rest. */
  readonly again?: (round: SweepRound) => Promise<void>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
}

/** Rounds of one sweep, the first not counted. After that the next scheduled sweep begins anew. */
export const mostRounds = 20;
/** From the call of the next round to its first write, at most. */
const handOverMs = 30_000;
/** A round that is not over when its function's time is up has died. */
const afterEndMs = 5_000;

/** The lease this round holds from now on; undefined if it is not its turn (any more). */
export async function takeRound(
  { id, round, shards }: SweepRound,
  remainingMs: RemainingTime,
  { store, clock }: ContinuationDeps,
): Promise<SweepLease | undefined> {
  const lease = await store.getSweepLease();
  // The lease of a round that has begun says the round itself; until then the one that called it.
  if (lease?.id !== id || lease.round !== round - 1) return undefined;
  const held = { id, round, shards, until: clock() + remainingMs() + afterEndMs };
  const { kind } = await store.putSweepLease(held, lease);
  return kind === 'committed' ? held : undefined;
}

/** The shards a continued sweep is at work on. */
export async function heldShards({ store, clock }: ContinuationDeps): Promise<ReadonlySet<number>> {
  const lease = await store.getSweepLease();
  return new Set(lease !== undefined && lease.until > clock() ? lease.shards : []);
}

/**
 * Hands over to the next round, or gives the lease back if nothing is left to do. `held`: by this invocation, undefined
 * for a scheduled sweep. Answers whether there is a next round.
 */
export async function handOver(
  unfinished: readonly number[],
  held: SweepLease | undefined,
  deps: ContinuationDeps,
): Promise<boolean> {
  const { store, again, clock, log } = deps;
  const round = (held?.round ?? 0) + 1;
  if (unfinished.length === 0 || again === undefined || round > mostRounds) {
    if (held) await store.putSweepLease(undefined, held);
    if (unfinished.length > 0 && held) log.warn('a sweep went on for too long; the next minute begins anew');
    return false;
  }
  const shards = [...unfinished];
  const lease = { id: held?.id ?? deps.ids(), round: round - 1, shards, until: clock() + handOverMs };
  const before = held ?? (await store.getSweepLease());
  // Another sweep is being continued; it leaves what it does not hold to the next minute.
  if (!held && before !== undefined && before.until > clock()) return false;
  if ((await store.putSweepLease(lease, before)).kind === 'conflict') return false;
  try {
    await again({ id: lease.id, round, shards });
    return true;
  } catch (error) {
    log.error('a sweep could not call itself again; the next minute does the rest', { error });
    await store.putSweepLease(undefined, lease);
    return false;
  }
}
