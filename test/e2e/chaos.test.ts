// Chaos with real agents and real processes, judged by the checker of histories: nothing lost, nothing twice, nothing too
// much, everything in the end as asked. `npm run chaos` runs it for longer, from a seed of your choice.
import { describe, expect, it } from 'vitest';
import { deployedChaos, embeddedChaos } from './chaos/run.ts';

const seed = Number(process.env.BOREALIS_CHAOS_SEED ?? Date.now() % 1_000_000);
const seconds = Number(process.env.BOREALIS_CHAOS_SECONDS ?? 30);

describe.runIf(process.env.BOREALIS_E2E_API === undefined)('agents, engine and functions that fail', () => {
  it('break nothing: the history of the run has no violation', {
    timeout: seconds * 1000 + 300_000,
  }, async () => {
    const { violations, missing, text } = await embeddedChaos({
      seed,
      chaosMs: seconds * 1000,
      settleMs: 120_000,
    });
    console.log(text);
    expect({ violations, missing }).toEqual({ violations: [], missing: [] });
  });
});

describe.runIf(process.env.BOREALIS_E2E_API !== undefined)(
  'agents killed and paused on a deployed installation',
  () => {
    it('break nothing: the history of the run has no violation', async () => {
      const { violations, missing, text } = await deployedChaos({ seed, chaosMs: 15_000, settleMs: 90_000 });
      console.log(text);
      expect({ violations, missing }).toEqual({ violations: [], missing: [] });
    });
  },
);
