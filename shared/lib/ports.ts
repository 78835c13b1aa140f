// The three sources of impurity that domain code gets from outside (design D4): the time, fresh ids, randomness.

/** Epoch milliseconds, injected so that tests and the simulator own the time. */
export type Clock = () => number;

/** Mints short unique suffixes, [0-9a-z]{8}. */
export type IdSource = () => string;

/** Uniform in [0, 1). */
export type RandomSource = () => number;

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

/** IdSource over the platform's secure random numbers. */
export const randomIds: IdSource = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => alphabet[byte % 36]).join('');
};
