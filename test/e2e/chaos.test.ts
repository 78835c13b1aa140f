// Chaos with real agents and real processes, judged by the checker of histories: nothing lost, nothing twice, nothing too
// much, everything in the end as asked. On a deployed installation only agents are killed and paused, for seconds.
// `npm run chaos` runs it for longer, from a seed of your choice.
import { expect, it } from 'vitest';
import { deployedChaos, embeddedChaos } from './chaos/run.ts';

const isDeployed = process.env.BOREALIS_E2E_API !== undefined;
/**
 * The same choices each time, of which each kind is known to come up within these seconds, so that luck does not decide
 * whether a change is taken. What the machine makes of them differs all the same; other seeds: `npm run chaos`.
 */
const seed = Number(process.env.BOREALIS_CHAOS_SEED ?? (isDeployed ? 688_572 : 387_453));
const seconds = Number(process.env.BOREALIS_CHAOS_SECONDS ?? (isDeployed ? 15 : 30));

it('what fails breaks nothing: the history has no violation', {
  timeout: seconds * 1000 + 300_000,
}, async () => {
  const chaos = isDeployed ? deployedChaos : embeddedChaos;
  const { violations, missing, text } = await chaos({ seed, chaosMs: seconds * 1000, settleMs: 120_000 });
  console.log(text);
  expect({ violations, missing }).toEqual({ violations: [], missing: [] });
});
