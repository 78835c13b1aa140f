// npm run chaos -- [--minutes 10] [--seed S] [--log FILE]   chaos for so long; prints what was done and every violation;
// the control plane's log goes into the file
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, log: { type: 'string' } },
});
process.env.BOREALIS_CHAOS_SECONDS = String(Math.round(Number(values.minutes) * 60));
if (values.seed !== undefined) process.env.BOREALIS_CHAOS_SEED = values.seed;
if (values.log !== undefined) process.env.BOREALIS_CHAOS_LOG = values.log;
const test = fileURLToPath(new URL('../chaos.test.ts', import.meta.url));
const vitest = await startVitest('test', [], { config: false, watch: false, include: [test] });
const isGood = vitest.state.getTestModules().every((module) => module.state() === 'passed');
await vitest.close();
process.exit(isGood ? 0 : 1);
