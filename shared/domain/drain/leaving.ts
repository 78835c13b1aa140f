// A machine that says it will go (spot interruption, rebalance recommendation, scale-in): until when its tasks may be
// moved within the budget of their jobs.
import { type Drain, defaultAvailability } from '../../model/agent.ts';

/**
 * Kept for the tasks to end by themselves before the machine does: a kill takes up to a minute until SIGKILL, and the
 * command takes a while to get there. Of the two minutes a spot interruption gives, 45 seconds are left for the budget.
 */
const endReserveMs = 75_000;
/** Without a date, only a recommendation: time enough to move a job of many instances one by one. */
const withoutDateMs = 30 * 60_000;

export interface Leaving {
  readonly reason: string;
  /** When the machine ends, epoch ms; undefined if nobody has said so yet. */
  readonly terminatesAt?: number | undefined;
}

/** The drain of a machine that leaves, as of now (epoch ms). */
export function drainOfLeaving({ reason, terminatesAt }: Leaving, requestedBy: string, now: number): Drain {
  const deadlineAt = terminatesAt === undefined ? now + withoutDateMs : terminatesAt - endReserveMs;
  return {
    requestedAt: now,
    deadlineAt: Math.max(now, deadlineAt),
    ...defaultAvailability,
    reason,
    requestedBy,
  };
}
