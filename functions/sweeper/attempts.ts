// The parts of a sweep run beside each other and each for itself: none of them can be done by anybody else, so one that
// fails, or that does not answer while there is time, must not keep the others from being done.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import type { Log } from '../ports.ts';

/** Kept for telling what was done, once a part that does not answer is given up; milliseconds. */
const closingMs = 5_000;
/** What is begun at the very end, such as handing over, gets so long all the same; milliseconds. */
const leastMs = 2_000;

export type Attempt = <T>(what: string, work: Promise<T>, otherwise: T) => Promise<T>;

export interface Attempts {
  /** Waits for one part. If it fails or takes too long that is noted and logged, and `otherwise` is the answer. */
  readonly attempt: Attempt;
  readonly failures: readonly unknown[];
}

/** `remainingMs`: of the whole sweep, from now on. */
export function createAttempts(
  remainingMs: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Attempts {
  const failures: unknown[] = [];
  const closesAt = clock() + remainingMs - closingMs;
  return {
    failures,
    async attempt(what, work, otherwise) {
      try {
        return await inTime(what, work, Math.max(leastMs, closesAt - clock()));
      } catch (error) {
        failures.push(error);
        log.error(`${what} failed; the rest of the sweep goes on`, { error });
        return otherwise;
      }
    },
  };
}

/** Throws TIMEOUT if the work takes longer; what becomes of it then is nobody's concern any more. */
async function inTime<T>(what: string, work: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const late = () =>
      reject(new BorealisError('TIMEOUT', `${what} took too long; the next sweep tries again`));
    timer = setTimeout(late, patienceMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
