// Chaos with real agents and real processes, judged by the checker of histories: nothing lost, nothing twice, nothing too
// much, everything in the end as asked. On a deployed installation only agents are killed and paused, for seconds.
// `npm run chaos` runs it for longer, from a seed of your choice.
import { expect, it } from 'vitest';
import { deployedChaos, embeddedChaos } from './chaos/run.ts';

const isDeployed = process.env.BOREALIS_E2E_API !== undefined;
const seed = Number(process.env.BOREALIS_CHAOS_SEED ?? Date.now() % 1_000_000);
const seconds = Number(process.env.BOREALIS_CHAOS_SECONDS ?? (isDeployed ? 15 : 30));

it('what fails breaks nothing: the history has no violation', {
  timeout: seconds * 1000 + 300_000,
}, async () => {
  const chaos = isDeployed ? deployedChaos : embeddedChaos;
  const { violations, missing, text } = await chaos({ seed, chaosMs: seconds * 1000, settleMs: 120_000 });
  console.log(text);
  expect({ violations, missing }).toEqual({ violations: [], missing: [] });
});
