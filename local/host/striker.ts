// Which of a sequence of things is struck by a fault, by seed: the same seed strikes the same ones.

export interface Odds {
  /** The same seed strikes the same ones, counted from here. */
  readonly seed: number;
  /** One in so many is struck. */
  readonly oneIn: number;
}

/** Asked for each, with the kinds of fault that it can have: the kind that strikes it, mostly none. */
export type Striker<Kind> = (kinds: readonly Kind[]) => Kind | undefined;

export function strikerOf<Kind>({ seed, oneIn }: Odds): Striker<Kind> {
  let state = seed >>> 0;
  const below = (bound: number): number => {
    // The generator of Numerical Recipes; its high bits are good enough to spread faults.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  return (kinds) => (below(oneIn) === 0 ? kinds[below(kinds.length)] : undefined);
}
