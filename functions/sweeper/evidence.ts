// May a task that has not reported be given up? Heartbeats must have been in time lately, nothing else may have been late
// lately, and whatever the task reported before its deadline must have arrived by now: the sweep sends a probe along the
// whole way (state table, stream, fanout, intake queue, agent-events) and waits for it a little. One that comes back later serves the
// next sweep. Nothing is read or sent while nothing is overdue.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasArrived, isSilenceEvidence } from '../../shared/domain/agent/evidence.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { lateAfterMs, type Passage } from '../../shared/model/passage.ts';
import type { Store } from '../../shared/store/port.ts';
import type { RemainingTime } from '../ports.ts';

export interface EvidenceDeps {
  readonly store: Pick<Store, 'getRoster' | 'getPassage' | 'putProbe'>;
  readonly clock: Clock;
  /** How long reports may be under way after trouble, ms. */
  readonly reportsArriveMs: number;
  /** Replaced in tests. */
  readonly pause?: (ms: number) => Promise<void>;
}

/**
 * counts: silence is evidence. soon: whether everything has arrived is not known yet, which is nothing unusual. held: it
 * should be known, or something is late.
 */
type Verdict = 'counts' | 'soon' | 'held';

/** What a probe takes when all is well, and some more. */
const looksAfterMs = [250, 500, 1_000, 2_000, 3_000, 3_000];
/** Left for writing what follows. */
const reserveMs = 10_000;

/** Judges a silence until `deadlineAt` (epoch ms). Reads and probes at most once, when first asked. */
export function createEvidence(
  deps: EvidenceDeps,
  remainingMs: RemainingTime,
): (deadlineAt: number) => Promise<Verdict> {
  const { store, clock, reportsArriveMs } = deps;
  const once = {
    read: undefined as Promise<Known> | undefined,
    probe: undefined as Promise<Passage> | undefined,
  };
  return async (deadlineAt) => {
    once.read ??= readBoth(store);
    const { roster, passage } = await once.read;
    if (!isSilenceEvidence(roster, passage, clock(), reportsArriveMs)) return 'held';
    if (hasArrived(passage, deadlineAt)) return 'counts';
    once.probe ??= probe(deps, remainingMs);
    const later = await once.probe;
    if (!isSilenceEvidence(roster, later, clock(), reportsArriveMs)) return 'held';
    if (hasArrived(later, deadlineAt)) return 'counts';
    return clock() - deadlineAt <= lateAfterMs ? 'soon' : 'held';
  };
}

interface Known {
  readonly roster: Awaited<ReturnType<Store['getRoster']>>;
  readonly passage: Passage;
}

async function readBoth(store: EvidenceDeps['store']): Promise<Known> {
  const [roster, passage] = await Promise.all([store.getRoster(), store.getPassage()]);
  return { roster, passage };
}

/** What is known once the probe is back, or after a while. */
async function probe(
  { store, clock, pause = sleep }: EvidenceDeps,
  remainingMs: RemainingTime,
): Promise<Passage> {
  const sentAt = clock();
  await store.putProbe(sentAt);
  let passage: Passage = {};
  for (const afterMs of looksAfterMs) {
    await pause(afterMs);
    passage = await store.getPassage();
    if (hasArrived(passage, sentAt) || remainingMs() <= reserveMs) break;
  }
  return passage;
}
