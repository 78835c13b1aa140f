// The status machine of an update as one table: from x to -> who may cause it (spec/updates.md section 2). What a call
// does in each status is a second, total table. `docs/reference/update-states.md` is written from both.
import { type UpdateStatus, updateStatuses } from '../../model/update.ts';

/** START stands for "does not exist yet". */
export type MachineStatus = UpdateStatus | 'START';

/** What a person or another service may ask of an update. */
export const updateCalls = ['pause', 'resume', 'abort', 'rollback', 'pulse'] as const;
export type UpdateCall = (typeof updateCalls)[number];

type Cause = UpdateCall | 'start' | 'system';
type Row = Readonly<Partial<Record<UpdateStatus, readonly Cause[]>>>;

const system = ['system'] as const;
const abort = ['abort'] as const;

/** The complete machine. A pair that is not listed is illegal; from = to does nothing. */
export const updateTransitions: Readonly<Record<MachineStatus, Row>> = {
  START: { ROLLING_FORWARD: ['start'], ROLL_FORWARD_AWAITING_PULSE: ['start'] },
  ROLLING_FORWARD: {
    ROLLING_BACK: ['system', 'rollback'],
    ROLL_FORWARD_PAUSED: ['system', 'pause'],
    ROLL_FORWARD_AWAITING_PULSE: system,
    ROLLED_FORWARD: system,
    ABORTED: abort,
    FAILED: system,
    ERROR: system,
  },
  ROLLING_BACK: {
    ROLL_BACK_PAUSED: ['system', 'pause'],
    ROLL_BACK_AWAITING_PULSE: system,
    ROLLED_BACK: system,
    ABORTED: abort,
    FAILED: system,
    ERROR: system,
  },
  ROLL_FORWARD_PAUSED: {
    ROLLING_FORWARD: ['resume'],
    ROLLING_BACK: ['rollback'],
    ROLL_FORWARD_AWAITING_PULSE: ['resume'],
    ABORTED: abort,
    ERROR: system,
  },
  ROLL_BACK_PAUSED: {
    ROLLING_BACK: ['resume', 'rollback'],
    ROLL_BACK_AWAITING_PULSE: ['resume'],
    ABORTED: abort,
    ERROR: system,
  },
  ROLL_FORWARD_AWAITING_PULSE: {
    ROLLING_FORWARD: ['pulse'],
    ROLLING_BACK: ['rollback'],
    ROLL_FORWARD_PAUSED: ['pause'],
    ABORTED: abort,
    ERROR: system,
  },
  ROLL_BACK_AWAITING_PULSE: {
    ROLLING_BACK: ['pulse', 'rollback'],
    ROLL_BACK_PAUSED: ['pause'],
    ABORTED: abort,
    ERROR: system,
  },
  ROLLED_FORWARD: {},
  ROLLED_BACK: {},
  ABORTED: {},
  FAILED: {},
  ERROR: {},
};

/** May an update go from the one status to the other, whoever wants it? */
export function mayMove(from: MachineStatus, to: UpdateStatus): boolean {
  return updateTransitions[from][to] !== undefined;
}

/** What `outcomeOfCall` answers. NOOP: already there, nothing is written, no event. */
export type CallOutcome =
  | { readonly kind: 'MOVE'; readonly to: UpdateStatus }
  | { readonly kind: 'NOOP' }
  /** `to` is the status the call would have led to. */
  | { readonly kind: 'REFUSED'; readonly to: UpdateStatus };

/** The status a call leads to. `pulseExpired`: pulses are configured and the last one is too old. */
export function outcomeOfCall(call: UpdateCall, from: UpdateStatus, pulseExpired: boolean): CallOutcome {
  const to = aimOf(call, from, pulseExpired);
  if (to === from) return { kind: 'NOOP' };
  // Pulses never disturb: outside the two waiting statuses they are only noted, and ended updates ignore them.
  if (call === 'pulse' && !isAwaitingPulse(from)) return { kind: 'NOOP' };
  return updateTransitions[from][to]?.includes(call) ? { kind: 'MOVE', to } : { kind: 'REFUSED', to };
}

function aimOf(call: UpdateCall, from: UpdateStatus, pulseExpired: boolean): UpdateStatus {
  const back = isGoingBack(from);
  switch (call) {
    case 'pause':
      return back ? 'ROLL_BACK_PAUSED' : 'ROLL_FORWARD_PAUSED';
    case 'resume':
      // A running update is already where resume leads, whatever its pulses: the engine finds those out.
      if (!pulseExpired || isRolling(from)) return back ? 'ROLLING_BACK' : 'ROLLING_FORWARD';
      return awaitingStatus(back ? 'ROLLING_BACK' : 'ROLLING_FORWARD');
    case 'abort':
      return 'ABORTED';
    case 'rollback':
      return 'ROLLING_BACK';
    case 'pulse':
      return back ? 'ROLLING_BACK' : 'ROLLING_FORWARD';
  }
}

/** The statuses in which the engine acts. */
export type RollingStatus = 'ROLLING_FORWARD' | 'ROLLING_BACK';

/** Does the engine act in this status? */
export function isRolling(status: UpdateStatus): status is RollingStatus {
  return status === 'ROLLING_FORWARD' || status === 'ROLLING_BACK';
}

/** Is the update stopped for want of a pulse? */
export function isAwaitingPulse(status: UpdateStatus): boolean {
  return status === 'ROLL_FORWARD_AWAITING_PULSE' || status === 'ROLL_BACK_AWAITING_PULSE';
}

/** Where an update goes for want of a pulse. */
export function awaitingStatus(status: RollingStatus): UpdateStatus {
  return status === 'ROLLING_FORWARD' ? 'ROLL_FORWARD_AWAITING_PULSE' : 'ROLL_BACK_AWAITING_PULSE';
}

/** Where an update goes that is stopped by a person or by itself. */
export function pausedStatus(status: RollingStatus): UpdateStatus {
  return status === 'ROLLING_FORWARD' ? 'ROLL_FORWARD_PAUSED' : 'ROLL_BACK_PAUSED';
}

/** Is the update on its way back (or did it end there)? */
export function isGoingBack(status: UpdateStatus): boolean {
  return status === 'ROLLING_BACK' || status.startsWith('ROLL_BACK_') || status === 'ROLLED_BACK';
}

/** Every status, START first. */
export const machineStatuses: readonly MachineStatus[] = ['START', ...updateStatuses];
