import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyCall } from '../../../../shared/domain/update/calls.ts';
import { updateStatusDocument } from '../../../../shared/domain/update/document.ts';
import { moveTo } from '../../../../shared/domain/update/record.ts';
import {
  type MachineStatus,
  machineStatuses,
  mayMove,
  outcomeOfCall,
  type UpdateCall,
  updateCalls,
  updateTransitions,
} from '../../../../shared/domain/update/status-machine.ts';
import { isTerminalUpdate, type UpdateStatus, updateStatuses } from '../../../../shared/model/update.ts';
import { all, started } from './sample-update.ts';

// Section 2 of the specification, typed from its text and not from the code.
const allowed: Record<MachineStatus, string> = {
  START: 'ROLLING_FORWARD, ROLL_FORWARD_AWAITING_PULSE',
  ROLLING_FORWARD:
    'ROLLING_BACK, ROLL_FORWARD_PAUSED, ROLL_FORWARD_AWAITING_PULSE, ROLLED_FORWARD, ABORTED, FAILED, ERROR',
  ROLLING_BACK: 'ROLL_BACK_PAUSED, ROLL_BACK_AWAITING_PULSE, ROLLED_BACK, ABORTED, FAILED, ERROR',
  ROLL_FORWARD_PAUSED: 'ROLLING_FORWARD, ROLLING_BACK, ROLL_FORWARD_AWAITING_PULSE, ABORTED, ERROR',
  ROLL_BACK_PAUSED: 'ROLLING_BACK, ROLL_BACK_AWAITING_PULSE, ABORTED, ERROR',
  ROLL_FORWARD_AWAITING_PULSE: 'ROLLING_FORWARD, ROLLING_BACK, ROLL_FORWARD_PAUSED, ABORTED, ERROR',
  ROLL_BACK_AWAITING_PULSE: 'ROLLING_BACK, ROLL_BACK_PAUSED, ABORTED, ERROR',
  ROLLED_FORWARD: '',
  ROLLED_BACK: '',
  ABORTED: '',
  FAILED: '',
  ERROR: '',
};

// What each call does in each active status, with a live pulse: its target, "=" (no-op) or "-" (refused).
const calls: Record<Exclude<UpdateCall, 'abort'>, Partial<Record<UpdateStatus, string>>> = {
  pause: {
    ROLLING_FORWARD: 'ROLL_FORWARD_PAUSED',
    ROLLING_BACK: 'ROLL_BACK_PAUSED',
    ROLL_FORWARD_PAUSED: '=',
    ROLL_BACK_PAUSED: '=',
    ROLL_FORWARD_AWAITING_PULSE: 'ROLL_FORWARD_PAUSED',
    ROLL_BACK_AWAITING_PULSE: 'ROLL_BACK_PAUSED',
  },
  resume: {
    ROLLING_FORWARD: '=',
    ROLLING_BACK: '=',
    ROLL_FORWARD_PAUSED: 'ROLLING_FORWARD',
    ROLL_BACK_PAUSED: 'ROLLING_BACK',
    ROLL_FORWARD_AWAITING_PULSE: '-',
    ROLL_BACK_AWAITING_PULSE: '-',
  },
  rollback: {
    ROLLING_FORWARD: 'ROLLING_BACK',
    ROLLING_BACK: '=',
    ROLL_FORWARD_PAUSED: 'ROLLING_BACK',
    ROLL_BACK_PAUSED: 'ROLLING_BACK',
    ROLL_FORWARD_AWAITING_PULSE: 'ROLLING_BACK',
    ROLL_BACK_AWAITING_PULSE: 'ROLLING_BACK',
  },
  pulse: {
    ROLLING_FORWARD: '=',
    ROLLING_BACK: '=',
    ROLL_FORWARD_PAUSED: '=',
    ROLL_BACK_PAUSED: '=',
    ROLL_FORWARD_AWAITING_PULSE: 'ROLLING_FORWARD',
    ROLL_BACK_AWAITING_PULSE: 'ROLLING_BACK',
  },
};

function specified(call: UpdateCall, from: UpdateStatus): string {
  if (call === 'abort') return from === 'ABORTED' ? '=' : isTerminalUpdate(from) ? '-' : 'ABORTED';
  // Ended updates refuse everything but pulses, to which they answer FINISHED.
  return calls[call][from] ?? (call === 'pulse' ? '=' : '-');
}

const pairs = machineStatuses.flatMap((from) =>
  updateStatuses.map((to): [MachineStatus, UpdateStatus] => [from, to]),
);

describe('the status table', () => {
  it.each(pairs)('lets %s go to %s exactly if the specification does', (from, to) => {
    expect(mayMove(from, to)).toBe(allowed[from].split(', ').includes(to));
  });

  it('never changes an ended update', () => {
    for (const status of updateStatuses.filter(isTerminalUpdate)) {
      expect(updateTransitions[status]).toEqual({});
    }
  });

  it('names the calls for exactly the moves that calls make', () => {
    for (const call of updateCalls) {
      const made = updateStatuses.flatMap((from) =>
        [true, false].flatMap((expired) => {
          const outcome = outcomeOfCall(call, from, expired);
          return outcome.kind === 'MOVE' ? [`${from} ${outcome.to}`] : [];
        }),
      );
      const named = pairs
        .filter(([from, to]) => updateTransitions[from][to]?.includes(call))
        .map(([from, to]) => `${from} ${to}`);
      expect(new Set(made)).toEqual(new Set(named));
    }
  });
});

describe('calls', () => {
  const cases = updateCalls.flatMap((call) =>
    updateStatuses.map((from): [UpdateCall, UpdateStatus, string] => [call, from, specified(call, from)]),
  );

  it.each(cases)('%s in %s: %s', (call, from, answer) => {
    const outcome = outcomeOfCall(call, from, false);
    expect(outcome.kind === 'MOVE' ? outcome.to : outcome.kind === 'NOOP' ? '=' : '-').toBe(answer);
  });

  it('resume with an expired pulse leads to awaiting one, where it is a no-op', () => {
    expect(outcomeOfCall('resume', 'ROLL_FORWARD_PAUSED', true)).toEqual({
      kind: 'MOVE',
      to: 'ROLL_FORWARD_AWAITING_PULSE',
    });
    expect(outcomeOfCall('resume', 'ROLL_BACK_PAUSED', true)).toEqual({
      kind: 'MOVE',
      to: 'ROLL_BACK_AWAITING_PULSE',
    });
    expect(outcomeOfCall('resume', 'ROLL_BACK_AWAITING_PULSE', true)).toEqual({ kind: 'NOOP' });
    expect(outcomeOfCall('resume', 'ROLLING_FORWARD', true)).toEqual({ kind: 'NOOP' });
  });
});

describe('applyCall', () => {
  const update = started([all('a', [0, 3])], [all('b', [0, 3])]);
  const by = { user: 'ann', now: 5000 };

  it('writes who, when and why, and nothing if the update is already there', () => {
    const paused = applyCall(update, 'pause', { ...by, message: 'lunch' });
    expect(paused.events.at(-1)).toEqual({
      status: 'ROLL_FORWARD_PAUSED',
      at: 5000,
      user: 'ann',
      message: 'lunch',
    });
    expect(paused.updatedAt).toBe(5000);
    expect(applyCall(paused, 'pause', by)).toBe(paused);
  });

  it('refuses what the table refuses, and says so', () => {
    const aborted = applyCall(update, 'abort', by);
    expect(() => applyCall(aborted, 'resume', by)).toThrow(
      /Cannot transition update from ABORTED to ROLLING_FORWARD/,
    );
    expect(applyCall(aborted, 'abort', by)).toBe(aborted);
  });

  it('refuses a message of more than 1024 characters', () => {
    expect(applyCall(update, 'pause', { ...by, message: 'x'.repeat(1024) }).status).toBe(
      'ROLL_FORWARD_PAUSED',
    );
    expect(() => applyCall(update, 'pause', { ...by, message: 'x'.repeat(1025) })).toThrow(/1025 characters/);
  });

  it('keeps the first and the newest events only', () => {
    let many = update;
    for (let i = 1; i <= 300; i++) {
      many = applyCall(many, i % 2 === 1 ? 'pause' : 'resume', { user: 'ann', now: 5000 + i });
    }
    expect(many.events).toHaveLength(100);
    expect(many.events[0]).toEqual(update.events[0]);
    expect(many.events.at(-1)?.at).toBe(5300);
  });

  it('lets no code move a record as the table does not', () => {
    expect(() => moveTo(update, 'ROLLED_BACK', { now: 5000 })).toThrow(/cannot go from/);
  });
});

describe('docs/reference/update-states.md', () => {
  it('is the text generated from the table (else run: node scripts/write-update-states.ts)', () => {
    const url = new URL('../../../../docs/reference/update-states.md', import.meta.url);
    expect(readFileSync(url, 'utf8')).toBe(updateStatusDocument());
  });
});
