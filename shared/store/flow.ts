// Doing many requests at once without flooding the connection, and waiting between repeats.
import { setTimeout as sleep } from 'node:timers/promises';

/** Runs `work` on every item with at most `limit` at a time; results in order. The first failure stops the rest. */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

/** Attempts at one write that others keep getting in the way of. */
export const maxTries = 8;

/** Full-jitter wait before repeat number `attempt` (1, 2, ...): up to 10, 20, 40 ... 640 ms. */
export async function backOff(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(640, 10 * 2 ** (attempt - 1)));
}
