// Seeds that once found a fault. A seed's run changes whenever the simulator draws differently, so each fault also has a
// test of its own where it was fixed; the seeds are kept because what found one fault tends to find the next.

export const pinnedSeeds: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 1, found: 'nothing yet; the first run ever made' },
];
