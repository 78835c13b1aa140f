// The choices of a chaos run, by seed: which fault, which job, how long. What the machine makes of them is its own.

export interface Choices {
  /** From 0 up to but not including `bound`. */
  below(bound: number): number;
  /** Between both, ends included. */
  between(low: number, high: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** A sequence of its own, which others do not disturb. */
  fork(): Choices;
}

/** mulberry32. */
export function choicesOf(seed: number): Choices {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number): number => next() % bound;
  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    pick: (items) => items[below(items.length)] ?? items[0],
    fork: () => choicesOf(next()),
  };
}
