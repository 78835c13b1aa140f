// What a person or another service asks of an update that exists: pause, resume, abort, rollback, pulse
// (spec/updates.md section 2). The result is written on condition that the record is unchanged.
import { BorealisError } from '../../lib/errors.ts';
import { isTerminalUpdate, type UpdateRecord } from '../../model/update.ts';
import { pulseExpired } from './pulse.ts';
import { moveTo } from './record.ts';
import { isAwaitingPulse, outcomeOfCall, type UpdateCall } from './status-machine.ts';

/** Longest message of a caller, characters. */
const maxMessageLength = 1024;

export interface CallDetails {
  readonly user: string;
  readonly message?: string | undefined;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * The record after a call; the very object that was given if the update is already there. INVALID_REQUEST if the
 * status does not allow the call or the message is too long.
 */
export function applyCall(
  update: UpdateRecord,
  call: Exclude<UpdateCall, 'pulse'>,
  details: CallDetails,
): UpdateRecord {
  const { user, message, now } = details;
  checkMessage(message);
  const outcome = outcomeOfCall(call, update.status, pulseExpired(update, now));
  if (outcome.kind === 'NOOP') return update;
  if (outcome.kind === 'MOVE') return moveTo(update, outcome.to, { user, message, now });
  throw new BorealisError(
    'INVALID_REQUEST',
    `Cannot transition update from ${update.status} to ${outcome.to}. The update is unchanged. ${adviceFor(update)}`,
    { details: { updateId: update.updateId, status: update.status } },
  );
}

function adviceFor({ status }: UpdateRecord): string {
  if (isTerminalUpdate(status)) return 'It has ended; start a new one.';
  if (isAwaitingPulse(status)) return 'It goes on with the next pulse.';
  return 'Look at its status first.';
}

/** INVALID_REQUEST if a caller's message is too long to be stored. */
export function checkMessage(message: string | undefined): void {
  if ((message ?? '').length <= maxMessageLength) return;
  throw new BorealisError(
    'INVALID_REQUEST',
    `the message has ${message?.length} characters, at most ${maxMessageLength} are possible. Nothing was changed. Shorten it.`,
  );
}

export interface PulseResult {
  readonly next: UpdateRecord;
  /** FINISHED: the update has ended, no pulses are needed any more. */
  readonly answer: 'OK' | 'FINISHED';
}

/** Notes a pulse, and lets an update go on that waits for one. */
export function pulseUpdate(update: UpdateRecord, now: number): PulseResult {
  if (isTerminalUpdate(update.status)) return { next: update, answer: 'FINISHED' };
  const pulsed = { ...update, lastPulseAt: Math.max(now, update.lastPulseAt) };
  const outcome = outcomeOfCall('pulse', update.status, false);
  return { next: outcome.kind === 'MOVE' ? moveTo(pulsed, outcome.to, { now }) : pulsed, answer: 'OK' };
}

/** The record of an update that cannot go on because evaluating it threw; an ended one stays as it is. */
export function failInternally(update: UpdateRecord, problem: string, now: number): UpdateRecord {
  if (isTerminalUpdate(update.status)) return update;
  const message = `Internal scheduler error: ${problem}`.slice(0, maxMessageLength);
  return moveTo(update, 'ERROR', { now, message });
}
