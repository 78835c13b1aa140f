// Properties of the update engine over generated jobs, versions, faults and calls (design section 5).
//
// Safety, checked at every evaluation: no more instances at work than the strategy's group; never two live tasks of one
// instance; nothing outside the update is touched; nothing that is up is taken down beyond the availability budget;
// the way back goes through the groups in exact reverse; evaluating again changes nothing; an ended update is final.
// Liveness, once faults stop: every update ends, and the instances run what its status says.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generatedRun, runArb } from './generated-run.ts';

const perKind = Number(process.env.UPDATE_SCENARIOS ?? 1000);

describe('whatever goes wrong, in whatever order', () => {
  for (const kind of ['queue', 'batch', 'varBatch'] as const) {
    it(`an update by ${kind} is safe at every step and ends once faults stop`, { timeout: 600_000 }, () => {
      const ends = new Map<string, number>();
      fc.assert(
        fc.property(runArb(kind), (input) => {
          const status = generatedRun(input);
          ends.set(status, (ends.get(status) ?? 0) + 1);
        }),
        { numRuns: perKind },
      );
      // A generator that never sees one of these ends would prove little.
      expect([...ends.keys()]).toEqual(
        expect.arrayContaining(['ROLLED_FORWARD', 'ROLLED_BACK', 'FAILED', 'ABORTED']),
      );
    });
  }
});
