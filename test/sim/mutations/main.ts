// npm run sim:mutations [-- --seeds N] [--only TEXT]: puts each fault of list.ts into the product, one at a time, and lets
// the simulator look for it: by the directed scenarios, then by seeds from 1, until something is violated. Prints what
// caught it and how long that took. Exit code 1 if one is not caught.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Totals } from '../report.ts';
import { type Mutation, mutations } from './list.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '400' }, only: { type: 'string', default: '' } },
});

interface Hunt {
  /** What the simulator says; undefined if it found nothing. */
  readonly found: { readonly by: string; readonly failure: string | undefined } | undefined;
  readonly seeds: number;
  readonly directed: number;
  readonly seconds: number;
}

let caught = 0;
let byDirected = 0;
let seconds = 0;
const chosen = mutations.filter(({ name }) => name.includes(values.only));
for (const mutation of chosen) {
  const hunt = await look(mutation);
  seconds += hunt.seconds;
  if (hunt.found) caught++;
  if (hunt.found && hunt.seeds === 0) byDirected++;
  console.log(render(mutation, hunt));
}
console.log(
  `${caught} of ${chosen.length} mutations caught, ${byDirected} by a directed scenario, ` +
    `${caught - byDirected} by a seed of 1 to ${values.seeds}; ${seconds.toFixed(0)} s`,
);
process.exit(caught === chosen.length ? 0 : 1);

function render({ name }: Mutation, { found, seeds, directed, seconds: took }: Hunt): string {
  const time = `${took.toFixed(1)} s`;
  if (!found) return `NOT CAUGHT ${name} (${directed} directed scenarios, ${seeds} seeds, ${time})`;
  return `caught     ${name} (${time})\n           by ${found.by}: ${found.failure?.slice(0, 150)}`;
}

function look({ name }: Mutation): Promise<Hunt> {
  const args = [
    '--import',
    here('hook.ts'),
    here('../main.ts'),
    '--json',
    '--first-failure',
    '--seeds',
    values.seeds,
  ];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, BOREALIS_MUTATION: name };
    execFile(process.execPath, args, { env, maxBuffer: 1e8 }, (_error, stdout, stderr) => {
      if (stdout === '') {
        reject(new Error(`${name}: the simulator broke down`, { cause: new Error(stderr.slice(0, 2_000)) }));
        return;
      }
      type Summary = ReturnType<Totals['summary']> & { seconds: number };
      const { failed, seeds, directed, seconds: took } = JSON.parse(stdout) as Summary;
      resolve({ found: failed[0], seeds, directed, seconds: took });
    });
  });
}
