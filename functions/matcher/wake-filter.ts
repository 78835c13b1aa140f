// Which wake-ups of the matcher are already answered. A burst of new tasks brings a wake-up for each batch of stream
// records; the first drain places them all, and each later one would load the whole pool to find nothing new.
//
//   wake sent ----- margin ----- pending index read ... drain complete     => the wake asks for what was seen
//
// The margin is for what lies between a row and the index that shows it (replication of the index, clocks of SQS and of
// the function). A wake-up with no send time, or of another process's drain, is never skipped: a filter that
// remembers nothing only costs work.

const marginMs = 1_500;

export interface WakeFilter {
  /** True if a complete drain read the pool's waiting tasks well after the wake-up was sent. */
  isAnswered(pool: string, sentAt: number | undefined): boolean;
  /** A complete drain last read the waiting tasks at `readAt`. */
  drained(pool: string, readAt: number): void;
}

export function createWakeFilter(): WakeFilter {
  const readAtOf = new Map<string, number>();
  return {
    isAnswered(pool, sentAt) {
      const readAt = readAtOf.get(pool);
      return sentAt !== undefined && readAt !== undefined && sentAt + marginMs < readAt;
    },
    drained(pool, readAt) {
      readAtOf.set(pool, Math.max(readAt, readAtOf.get(pool) ?? 0));
    },
  };
}
