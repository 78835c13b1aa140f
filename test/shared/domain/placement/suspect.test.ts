// When the room that a ledger holds for nobody is given back, and above all when it is not.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditLedger } from '../../../../shared/domain/placement/audit.ts';
import { type Holding, ledgerFromCapacity, takeAll } from '../../../../shared/domain/placement/ledger.ts';
import { type Audited, confirmAfterMs, judgeLedger } from '../../../../shared/domain/placement/suspect.ts';
import { liveId } from '../../../../shared/model/job-key.ts';

const now = 1_800_000_000_000;
const capacity = {
  cpuMilli: 8000,
  ramMb: 8000,
  diskMb: 8000,
  gpus: [],
  portRange: [31_000, 31_100],
} as const;
const agent = {
  agentId: 'a1',
  capacity: { ...capacity, gpus: [...capacity.gpus], portRange: [31_000, 31_100] as [number, number] },
};

function held(instance: number): Holding {
  const ports = { http: 31_000 + instance };
  return {
    taskId: `web~prod~job~${instance}~1~s${instance}`,
    resources: {
      cpuMilli: 1000,
      ramMb: 100,
      diskMb: 10,
      gpus: 0,
      gpuMilli: 0,
      gpuModels: [],
      ports: ['http'],
    },
    grant: { gpus: [], ports },
  };
}

const ledgerOf = (tasks: readonly Holding[]) => ({
  ...takeAll(ledgerFromCapacity('a1', agent.capacity), tasks),
  version: 9,
});
const [kept, leaked] = [held(0), held(1)] as const;
const idOf = ({ taskId }: Holding) => liveId(taskId);

const leak: Audited = {
  agent,
  ledger: ledgerOf([kept, leaked]),
  tasks: [kept],
  suspicion: { live: [idOf(leaked)], since: now - confirmAfterMs },
  saysItHas: 1,
  now,
};

describe('judgeLedger', () => {
  it('finds nothing where the ledger says what the tasks hold', () => {
    expect(judgeLedger({ ...leak, tasks: [kept, leaked] })).toEqual({ kind: 'right' });
  });

  it('only suspects at first', () => {
    const verdict = judgeLedger({ ...leak, suspicion: undefined });
    expect(verdict).toEqual({ kind: 'suspect', live: [idOf(leaked)], since: now });
  });

  it('gives the room back once that is confirmed, and nothing of what tasks hold', () => {
    const verdict = judgeLedger(leak);
    expect(verdict).toMatchObject({ kind: 'wrong', ledger: { live: [idOf(kept)], freeCpuMilli: 7000 } });
    if (verdict.kind !== 'wrong') return;
    expect(auditLedger(agent.capacity, verdict.ledger, [kept])).toEqual([]);
    expect(verdict.violations.map(({ code }) => code)).toContain('LIVE_WITHOUT_TASK');
  });

  it.each<[string, Partial<Audited>]>([
    [
      'it was suspected a moment ago',
      { suspicion: { live: [idOf(leaked)], since: now - confirmAfterMs + 1 } },
    ],
    ['the agent says that it has more tasks than were found', { saysItHas: 2 }],
    ['the agent has not said how many it has', { saysItHas: undefined }],
  ])('waits if %s', (_what, over) => {
    const verdict = judgeLedger({ ...leak, ...over });
    expect(verdict).toMatchObject({ kind: 'suspect', live: [idOf(leaked)] });
  });

  it('does not forget what it suspects because another id is without a task, and frees nothing of that', () => {
    const other = held(2);
    const ledger = ledgerOf([kept, leaked, other]);
    expect(judgeLedger({ ...leak, ledger })).toEqual({
      kind: 'suspect',
      live: [idOf(leaked)],
      since: now - confirmAfterMs,
      isMoving: true,
    });
    // What it holds is known from a moment ago.
    const verdict = judgeLedger({ ...leak, ledger, ended: [other] });
    expect(verdict).toMatchObject({ kind: 'wrong', ledger: { freeCpuMilli: 6000 } });
    if (verdict.kind === 'wrong')
      expect(verdict.ledger.live).toEqual(expect.arrayContaining([idOf(kept), idOf(other)]));
  });

  it('begins to wait anew when none of what it suspected is left', () => {
    const ledger = ledgerOf([kept, held(2)]);
    const verdict = judgeLedger({ ...leak, ledger });
    expect(verdict).toEqual({ kind: 'suspect', live: [idOf(held(2))], since: now });
  });

  it('sets amounts right that no task explains', () => {
    const ledger = { ...ledgerOf([kept]), freeRamMb: 1 };
    expect(judgeLedger({ ...leak, ledger })).toMatchObject({ kind: 'wrong', ledger: { freeRamMb: 7900 } });
  });

  it.each<[string, Partial<Audited>, 'wrong' | 'suspect']>([
    ['however many tasks it said it had', { saysItHas: 9 }, 'wrong'],
    ['though it never said how many it had', { saysItHas: undefined }, 'wrong'],
    ['only a while after the loss', { saysItHas: 9, lostAt: now - confirmAfterMs + 1 }, 'suspect'],
    [
      'but not what was suspected a moment ago',
      { saysItHas: 9, suspicion: { live: [idOf(leaked)], since: now - confirmAfterMs + 1 } },
      'suspect',
    ],
  ])('gives the room on a lost agent back %s', (_what, over, kind) => {
    expect(judgeLedger({ ...leak, lostAt: now - confirmAfterMs, ...over })).toMatchObject({ kind });
  });

  it('never frees what a task that was found holds, whatever the ledger and the suspicion say', () => {
    const instances = fc.subarray([0, 1, 2, 3, 4, 5]);
    fc.assert(
      fc.property(
        instances,
        instances,
        instances,
        fc.nat(10),
        fc.nat(2),
        (live, found, suspected, has, age) => {
          const tasks = found.map(held);
          const verdict = judgeLedger({
            ...leak,
            ledger: ledgerOf(live.map(held)),
            tasks,
            suspicion: { live: suspected.map((one) => idOf(held(one))), since: now - age * confirmAfterMs },
            saysItHas: has,
          });
          if (verdict.kind !== 'wrong') return;
          expect(auditLedger(agent.capacity, verdict.ledger, tasks)).toEqual([]);
          // Only what was suspected before is freed.
          const freed = live.filter((one) => !found.includes(one));
          expect(freed.every((one) => suspected.includes(one))).toBe(true);
          expect(has).toBeLessThanOrEqual(found.length);
        },
      ),
    );
  });
});
