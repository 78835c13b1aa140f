// May the absence of a report be held against a task? Pure. Reports and heartbeats go the same way (queue, function,
// store); the roll call notes every minute whether heartbeats got through. While they did not, and until what was held
// up has had time to arrive, a task that says nothing may well have said it (design D9: an outage kills nothing).
import type { Roster } from '../../model/roster.ts';
import { defaultRollCall } from './roll-call.ts';

/**
 * False while silence proves nothing, which is so as well before the first roll call. `arrivalMs`: how long reports may
 * still be under way once heartbeats get through again.
 */
export function isSilenceEvidence(roster: Roster | undefined, now: number, arrivalMs: number): boolean {
  if (roster === undefined) return false;
  return now - roster.calledAt <= defaultRollCall.lateAfterMs && now - roster.trustedSince >= arrivalMs;
}
