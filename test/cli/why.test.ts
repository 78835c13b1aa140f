import { describe, expect, it } from 'vitest';
import { explainWhy, reasonText } from '../../cli/why.ts';
import type { Why } from '../../shared/api/views.ts';
import { type PendingReason, reasonCodes } from '../../shared/model/reason.ts';

const waiting: PendingReason = {
  verdict: 'waiting',
  agents: 15,
  counts: [
    { code: 'CONSTRAINT', attribute: 'rack', agents: 3 },
    { code: 'CPU', agents: 12 },
  ],
  nearest: { agentId: 'agent-7', reasons: [{ code: 'CPU', needed: 4000, available: 2500 }] },
  at: 0,
};

function why(reason: PendingReason | null): Why {
  return { job: 'www/prod/hello', throttled: [], pending: [{ configId: 'c', instances: [[0, 2]], reason }] };
}

describe('why a task waits', () => {
  it('is said with numbers: what is needed, what is free, how many agents lack what', () => {
    expect(explainWhy(why(waiting))).toEqual([
      '3 instances (0-2) wait for room: nearest is agent agent-7, where it needs 4 cores and 2.5 cores is free (of 15 agents: 12 lack CPU, 3 ruled out by constraint rack).',
    ]);
  });

  it('is said differently when it can never fit', () => {
    const [line] = explainWhy(why({ ...waiting, verdict: 'neverFits' }));
    expect(line).toContain('can never be placed on the present agents');
    expect(line).not.toContain('wait for room');
  });

  it('says when there are no agents, and when nobody has looked yet', () => {
    const none: PendingReason = {
      verdict: 'waiting',
      agents: 0,
      counts: [{ code: 'NO_AGENTS', agents: 0 }],
      at: 0,
    };
    expect(explainWhy(why(none))[0]).toContain('no agent in the pool');
    expect(explainWhy(why(null))[0]).toContain('no matcher has looked');
  });

  it('says how long a flapping instance is held back', () => {
    const until = new Date(90_000).toISOString();
    const lines = explainWhy({ job: 'x', pending: [], throttled: [{ instance: 4, until }] }, 30_000);
    expect(lines).toEqual([
      'instance 4 is held back for another 1m because it keeps ending soon after its start.',
    ]);
  });

  it('is empty when nothing waits', () => {
    expect(explainWhy({ job: 'x', pending: [], throttled: [] })).toEqual([]);
  });

  it.each(reasonCodes)('has words for %s, with and without numbers', (code) => {
    expect(reasonText({ code })).toMatch(/^\w/);
    expect(reasonText({ code, attribute: 'rack', needed: 2, available: 1 })).toMatch(/^\w/);
  });
});
