// When the silence of a task counts.
import { describe, expect, it } from 'vitest';
import { hasArrived, isSilenceEvidence } from '../../../../shared/domain/agent/evidence.ts';
import type { Roster } from '../../../../shared/model/roster.ts';

const now = 1_000_000_000;
const minute = 60_000;
const roster = (over: Partial<Roster> = {}): Roster => {
  return { version: 1, calledAt: now, trustedSince: 0, censusAt: 0, agents: new Map(), ...over };
};

describe('silence', () => {
  it.each([
    ['counts when all is in time', roster(), {}, true],
    ['does not count before the first roll call', undefined, {}, false],
    ['does not count when roll calls have stopped', roster({ calledAt: now - 150_001 }), {}, false],
    ['counts between two roll calls', roster({ calledAt: now - 150_000 }), {}, true],
    [
      'does not count when heartbeats were late lately',
      roster({ trustedSince: now - 3 * minute + 1 }),
      {},
      false,
    ],
    ['counts three minutes after heartbeats were late', roster({ trustedSince: now - 3 * minute }), {}, true],
    [
      'does not count when changes or reports were late lately',
      roster(),
      { lateAt: now - 3 * minute + 1 },
      false,
    ],
    ['counts three minutes after something was late', roster(), { lateAt: now - 3 * minute }, true],
  ])('%s', (_what, read, passage, expected) => {
    expect(isSilenceEvidence(read, passage, now, 3 * minute)).toBe(expected);
  });
});

describe('what was sent until a moment', () => {
  it.each([
    ['may be anywhere if no probe has arrived', {}, false],
    ['may be anywhere if the newest probe was sent before', { probedAt: now - 1 }, false],
    ['has arrived if a probe that was sent then has', { probedAt: now }, true],
  ])('%s', (_what, passage, expected) => {
    expect(hasArrived(passage, now)).toBe(expected);
  });
});
