// Makes a failing run small: leaves out faults, then what users and machines did, then what strikes by name, then time, for as long as some property
// is still violated. What is left is what it takes.
import { type RunResult, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly only: ReadonlySet<number>;
  readonly result: RunResult;
  readonly runs: number;
}

const mostRuns = 250;
const shortestMs = 10_000;

export async function shrink(failed: RunResult): Promise<Shrunk> {
  let best = { scenario: failed.scenario, only: drawn(failed), result: failed };
  let runs = 0;
  const attempt = async (next: Scenario, only: Set<number>): Promise<boolean> => {
    if (runs >= mostRuns) return false;
    runs++;
    const result = await runScenario(next, { only });
    if (result.failure === undefined) return false;
    // Numbers that were allowed and did not strike are of no use.
    best = { scenario: next, only: drawn(result), result };
    return true;
  };
  for (let progress = true; progress && runs < mostRuns; ) {
    progress = await fewer([...best.only], (kept) => attempt(best.scenario, new Set(kept)));
    const steps = best.scenario.steps;
    const withFewer = await fewer(steps, (kept) =>
      attempt({ ...best.scenario, steps: [...kept] }, best.only),
    );
    const strikes = best.scenario.strikes ?? [];
    const withoutStrikes = await fewer(strikes, (kept) =>
      attempt({ ...best.scenario, strikes: [...kept] }, best.only),
    );
    const shorter = await sooner(best.scenario.calmAt, (calmAt) =>
      attempt({ ...best.scenario, calmAt }, best.only),
    );
    progress ||= withFewer || withoutStrikes || shorter;
  }
  const result = await runScenario(best.scenario, { only: best.only, withLines: true });
  return { ...best, result, runs };
}

/** Numbers of the faults that struck by chance. */
function drawn({ faults }: RunResult): Set<number> {
  return new Set(faults.flatMap(({ number, strike }) => (strike ? [] : [number])));
}

/** Half the time, if that is still some; less tells nobody anything. */
async function sooner(ms: number, attempt: (ms: number) => Promise<boolean>): Promise<boolean> {
  return ms >= shortestMs && (await attempt(Math.floor(ms / 2)));
}

/** Leaves out halves, quarters, ... single items; true if anything could go. */
async function fewer<T>(
  items: readonly T[],
  attempt: (kept: readonly T[]) => Promise<boolean>,
): Promise<boolean> {
  let kept = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await attempt(without)) kept = without;
      else at += size;
    }
  }
  return kept.length < items.length;
}
