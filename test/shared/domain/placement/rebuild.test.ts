import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  auditLedger,
  ledgerFromCapacity,
  rebuildLedger,
  takeAll,
} from '../../../../shared/domain/placement/index.ts';

const capacity = {
  cpuMilli: 8_000,
  ramMb: 16_000,
  diskMb: 50_000,
  gpus: ['T4', 'T4'],
  portRange: [31_000, 31_999] as [number, number],
};
const agent = { agentId: 'a-1', capacity };
const holding = (index: number) => ({
  taskId: `r~e~n~${index}~1~s${index}`,
  resources: {
    cpuMilli: 100,
    ramMb: 200,
    diskMb: 300,
    gpus: 1,
    gpuMilli: 50,
    gpuModels: [],
    ports: ['http'],
  },
  grant: { gpus: [[index % 2, 50] as [number, number]], ports: { http: 31_000 + index } },
});

describe('the ledger of a restored agent', () => {
  it('is left alone if it is right', () => {
    const tasks = [holding(0), holding(1)];
    const stored = { ...takeAll(ledgerFromCapacity('a-1', capacity), tasks), version: 9 };
    expect(rebuildLedger(agent, stored, tasks)).toBeUndefined();
  });

  it('is made anew where there is none', () => {
    expect(rebuildLedger(agent, undefined, [])).toEqual(ledgerFromCapacity('a-1', capacity));
  });

  it('is right afterwards, whatever it held before, and is a later version', () => {
    const some = fc.uniqueArray(fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(some, some, (before, now) => {
        const stored = { ...takeAll(ledgerFromCapacity('a-1', capacity), before.map(holding)), version: 4 };
        const tasks = now.map(holding);
        const rebuilt = rebuildLedger(agent, stored, tasks);
        const same = before.length === now.length && before.every((one) => now.includes(one));
        expect(rebuilt === undefined).toBe(same);
        if (rebuilt) {
          expect(auditLedger(capacity, rebuilt, tasks)).toEqual([]);
          expect(rebuilt.version).toBe(5);
        }
      }),
    );
  });
});
