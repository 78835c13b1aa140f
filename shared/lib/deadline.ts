// An end for work that may never come to one.
import { BorealisError } from './errors.ts';

/**
 * What `work` gives. Rejects with TIMEOUT after `timeoutMs`, or with the reason of `outer` once that aborts, whatever
 * becomes of the work, which is told by the signal it gets.
 */
export async function within<T>(
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const own = new AbortController();
  const timer = setTimeout(
    () =>
      own.abort(
        new BorealisError('TIMEOUT', `${what} took more than ${timeoutMs / 1000} s and was given up`),
      ),
    timeoutMs,
  );
  const signal = outer === undefined ? own.signal : AbortSignal.any([own.signal, outer]);
  try {
    return await unlessAborted(signal, () => work(signal));
  } finally {
    clearTimeout(timer);
  }
}

/** What `work` gives, or a rejection with the signal's reason as soon as that aborts. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
