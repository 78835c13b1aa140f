// May the absence of a report be held against a task? Pure. Between a task and its row lie three ways, each of which may be
// late for itself: heartbeats go through a queue of their own to the roll call, changes (such as a launch) through the stream,
// reports through the intake queue. While one of them is late, and until what was held up has had time to arrive,
// a task that says nothing may well have said it, or never have been told (design D9: an outage kills nothing).
import type { Passage } from '../../model/passage.ts';
import type { Roster } from '../../model/roster.ts';
import { defaultRollCall } from './roll-call.ts';

/**
 * False while silence proves nothing, which is so as well before the first roll call. `arrivalMs`: how long reports may
 * still be under way once all is in time again: hidden, retried, asked for anew.
 */
export function isSilenceEvidence(
  roster: Roster | undefined,
  passage: Passage,
  now: number,
  arrivalMs: number,
): boolean {
  if (roster === undefined) return false;
  if (passage.lateAt !== undefined && now - passage.lateAt < arrivalMs) return false;
  return now - roster.calledAt <= defaultRollCall.lateAfterMs && now - roster.trustedSince >= arrivalMs;
}

/** Is everything there that was sent until `at` (epoch ms)? A probe that was sent later went the whole way. */
export function hasArrived({ probedAt }: Passage, at: number): boolean {
  return probedAt !== undefined && probedAt >= at;
}
