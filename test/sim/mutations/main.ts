// npm run sim:mutations [-- --seeds N] [--only TEXT]: puts each fault of list.ts into the product and lets the simulator
// look for it. Exit code 1 if one is not caught.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutation, mutations } from './list.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '400' }, only: { type: 'string', default: '' } },
});

let caught = 0;
const chosen = mutations.filter(({ name }) => name.includes(values.only));
for (const mutation of chosen) {
  const found = await hunt(mutation);
  if (found !== undefined) caught++;
  console.log(
    `${found === undefined ? 'NOT CAUGHT' : 'caught    '} ${mutation.name}${found ? `: ${found}` : ''}`,
  );
}
console.log(`${caught} of ${chosen.length} mutations caught`);
process.exit(caught === chosen.length ? 0 : 1);

/** What the simulator says about it; undefined if it found nothing in so many seeds. */
function hunt({ name }: Mutation): Promise<string | undefined> {
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
      const { failed, seeds } = JSON.parse(stdout) as { seeds: number; failed: { failure: string }[] };
      resolve(failed[0] && `after ${seeds} seeds, ${failed[0].failure.slice(0, 110)}`);
    });
  });
}
