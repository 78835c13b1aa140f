// Notes that something came late on the way that changes and reports take. Whoever finds it late says so, for only there
// is it seen: the stream consumer of changes, the consumer of reports of these. Deadlines then wait for a while
// (shared/domain/agent/evidence.ts). Nothing is written while nothing is late.
import type { Clock } from '../shared/lib/ports.ts';
import type { Store } from '../shared/store/port.ts';
import type { Log } from './ports.ts';

/** `what` came late by so much, or is held up there. Never throws: that it is late is no reason to make it later. */
export type Lateness = (what: string, ageMs?: number) => Promise<void>;

/** A process that sees one late thing after the other writes once in so long. */
const renewMs = 10_000;

export function createLateness({
  store,
  clock,
  log,
}: {
  readonly store: Pick<Store, 'notePassage'>;
  readonly clock: Clock;
  readonly log: Log;
}): Lateness {
  let notedAt = Number.NEGATIVE_INFINITY;
  return async (what, ageMs) => {
    const now = clock();
    if (now - notedAt < renewMs) return;
    try {
      await store.notePassage({ lateAt: now });
      notedAt = now;
      log.warn(`${what} are late; nothing is ended for want of a report until a while after`, {
        ...(ageMs !== undefined && { ageMs }),
      });
    } catch (error) {
      log.error(`${what} are late, and that could not be noted`, { error });
    }
  };
}
