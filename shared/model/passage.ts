// What is known of the way that changes and reports take: state table -> stream -> fanout -> intake queue -> agent-events.
// One row in the notes table, written only when there is something to say: nobody probes, and nothing is late, while all is
// well and nothing is overdue. Times are epoch ms.

export interface Passage {
  /** When the newest probe that went the whole way was sent: what was on its way before has arrived by now. */
  readonly probedAt?: number;
  /** When something was last seen on the way that had been there for too long. */
  readonly lateAt?: number;
}

/** A change or a report that is under way for longer than this is late, ms. */
export const lateAfterMs = 60_000;
