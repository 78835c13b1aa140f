// npm run sim -- --seeds N [--from S]   the directed scenarios, then so many seeds; prints what they add up to and the
//                                       shortest failing trace
//             -- --only TEXT [--trace]  the directed scenarios whose names contain it, and no seed
//             -- --seed S [--trace]      one seed; --trace prints all that happened in it
//             -- --twice                 each seed twice, and fails if the two runs differ
//             -- --outage [--agents N] [--hours H]   the control plane away, then all agents back at once
//             -- --json                  the totals as one line of JSON
import './world/install.ts';
import { parseArgs } from 'node:util';
import { directed } from './directed/list.ts';
import { renderFleet, runFleet } from './fleet.ts';
import { renderShrunk, renderTotals, Totals } from './report.ts';
import { runScenario } from './run.ts';
import { createScenario, type Scenario, titleOf } from './scenario.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string', multiple: true },
    only: { type: 'string' },
    trace: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    outage: { type: 'boolean', default: false },
    agents: { type: 'string', default: '10000' },
    hours: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    'first-failure': { type: 'boolean', default: false },
  },
});

const startedAt = process.hrtime.bigint();
if (values.outage) await outage();
const totals = new Totals();
for (const scenario of scenarios()) {
  const result = await runScenario(scenario, { withLines: values.trace });
  totals.add(values.twice ? compared(result, await runScenario(scenario)) : result);
  if (values.trace) console.log(result.lines.join('\n'));
  if (result.failure !== undefined && !values.json) console.log(`${titleOf(scenario)}: ${result.failure}`);
  if (values['first-failure'] && result.failure !== undefined) break;
}
const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
const { user, system } = process.cpuUsage();
const cpuSeconds = (user + system) / 1e6;

if (values.json) console.log(JSON.stringify({ ...totals.summary(), seconds, cpuSeconds }));
else {
  const shortest = totals.failures.toSorted((a, b) => a.steps - b.steps)[0];
  if (shortest && !values.trace) console.log(renderShrunk(await shrink(shortest)));
  console.log(renderTotals(totals, seconds, cpuSeconds));
}
process.exit(totals.hasProblems ? 1 : 0);

/** The quick ones first: each was made for something. */
function* scenarios(): Generator<Scenario> {
  const { seed: named, only } = values;
  if (!named) yield* directed.filter(({ name }) => name.includes(only ?? ''));
  if (only !== undefined) return;
  const first = Number(values.from);
  const seeds = named?.map(Number) ?? Array.from({ length: Number(values.seeds) }, (_, i) => first + i);
  for (const seed of seeds) yield createScenario(seed);
}

async function outage(): Promise<never> {
  const options = {
    agents: Number(values.agents),
    outageMs: Number(values.hours) * 3600_000,
    concurrency: 1_000,
  };
  const report = await runFleet(options);
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  console.log(values.json ? JSON.stringify({ ...report, seconds }) : renderFleet(report, seconds));
  process.exit(report.failure === undefined ? 0 : 1);
}

function compared(one: Awaited<ReturnType<typeof runScenario>>, other: typeof one): typeof one {
  if (one.hash === other.hash && one.steps === other.steps) return one;
  return {
    ...one,
    failure: `two runs differ: ${one.hash} and ${other.hash} after ${one.steps} and ${other.steps} steps`,
  };
}
