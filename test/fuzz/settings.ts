// How much is tried: `FUZZ_RUNS=10000 npx vitest run test/fuzz` tries so many cases at each intake, from `FUZZ_SEED` on. A
// failing case names its seed; FUZZ_RUNS=1 FUZZ_SEED=<that> runs it by itself.

/** Cases at each intake. */
export const runs = Number(process.env.FUZZ_RUNS ?? 400);
const firstSeed = Number(process.env.FUZZ_SEED ?? 1);
/** For the whole of one intake, ms. */
export const timeoutMs = 60_000 + runs * 100;

/** Calls `one` for each seed; the failure of a case says its seed. Tells how long the slowest took. */
export async function forEachSeed(
  what: string,
  one: (seed: number) => Promise<string> | string,
): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>();
  let slowest = { ms: 0, seed: 0 };
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const startedAt = performance.now();
    try {
      const outcome = await one(seed);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(`${what}, seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
    const ms = performance.now() - startedAt;
    if (ms > slowest.ms) slowest = { ms, seed };
  }
  if (process.env.FUZZ_RUNS !== undefined) {
    const counts = [...outcomes].toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`);
    console.log(
      `${what}: ${runs} cases; ${counts.join(', ')}; slowest ${Math.round(slowest.ms)} ms (seed ${slowest.seed})`,
    );
  }
  return outcomes;
}
