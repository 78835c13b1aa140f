// The simulator in CI: the directed scenarios, a fixed number of seeds, the seeds that once failed, and proof that a seed is one run. It takes
// the clock and the timers of its whole process, so it runs in one of its own.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { FleetReport } from './fleet.ts';
import { mutations } from './mutations/list.ts';
import { pinnedSeeds } from './pinned.ts';
import type { Totals } from './report.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

type Summary = ReturnType<Totals['summary']>;

function simulate<T = Summary>(more: NodeJS.ProcessEnv, ...args: string[]): Promise<T> {
  const env = { ...process.env, ...more };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [main, '--json', ...args],
      { env, maxBuffer: 1e8 },
      (error, stdout, stderr) => {
        // Failing seeds give exit code 1 and are for the assertions; without output something else is wrong.
        if (stdout === '') reject(new Error(stderr, { cause: error }));
        else resolve(JSON.parse(stdout) as T);
      },
    );
  });
}

describe('the simulator', { timeout: 600_000 }, () => {
  it('finds every property of the design to hold over a fixed range of seeds', async () => {
    const summary = await simulate({}, '--seeds', '100', '--from', '1');
    expect(summary.failed).toEqual([]);
    expect(summary.directed).toBeGreaterThan(0);
    // A directed scenario that does not meet its aim any more has to be brought up to date.
    expect(summary.missed).toEqual([]);
    // It has done something: faults of every kind.
    for (const kind of [
      'crashBefore',
      'crashAfter',
      'throttle',
      'lostAnswer',
      'repeat',
      'duplicate',
      'late',
      'stale',
    ]) {
      expect(summary.faults[kind], kind).toBeGreaterThan(0);
    }
    // All that anything in the product can make happens; coverage.ts says of the rest why it cannot.
    expect(summary.transitions).toMatchObject({ missing: [], surprises: [] });
    expect(summary.updateTransitions).toMatchObject({ missing: [], surprises: [] });
  });

  it('gets over three hours without a control plane and the return of a whole fleet', async () => {
    const report = await simulate<FleetReport>({}, '--outage', '--agents', '60');
    expect(report.failure).toBeUndefined();
    expect(report).toMatchObject({ declaredLost: 0, killed: 0, tasks: 120 });
    expect(report.endedMeanwhile).toBeGreaterThan(0);
    expect(report.secondsUntil.settled).toBeLessThan(300);
  });

  it('holds on every seed that once failed', async () => {
    const summary = await simulate({}, ...pinnedSeeds.flatMap(({ seed }) => ['--seed', String(seed)]));
    expect(summary.failed).toEqual([]);
    expect(summary.seeds).toBe(pinnedSeeds.length);
  });

  it('does exactly the same when a seed is run again', async () => {
    const summary = await simulate({}, '--seeds', '8', '--from', '1000', '--twice');
    expect(summary.failed).toEqual([]);
  });

  it.each(mutations)('can be shown to look: $name', ({ file, find }) => {
    // All of them run with npm run sim:mutations; here only that each still says what to change.
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(source.split(find)).toHaveLength(2);
  });

  it('fails when the product is made to fail', async () => {
    const hook = fileURLToPath(new URL('mutations/hook.ts', import.meta.url));
    const mutated = (name: string) =>
      simulate(
        { NODE_OPTIONS: `--import ${hook}`, BOREALIS_MUTATION: name },
        '--seeds',
        '80',
        '--first-failure',
      );
    expect((await mutated('no resources are released')).failed).toHaveLength(1);
    expect((await mutated('a release gives back what was given back before')).failed).toHaveLength(1);
  });
});
