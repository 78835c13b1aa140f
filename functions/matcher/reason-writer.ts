// Writes why tasks wait, one note per job and config, and not again while nothing new is to be said: a busy pool is
// matched many times a second, and its thousands of waiting tasks must not turn into as many writes each time.
import type { Unplaced } from '../../shared/domain/placement/index.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import type { PendingReason } from '../../shared/model/reason.ts';
import type { PendingRow, Store } from '../../shared/store/port.ts';

/** The same verdict is written again after this, so that the note does not look stale or expire. */
const refreshMs = 60_000;
/** A reason that only changed in its numbers is written at most this often. */
const restlessMs = 15_000;
const maxRemembered = 50_000;

export interface ReasonWriter {
  write(unplaced: readonly Unplaced[], rows: ReadonlyMap<string, PendingRow>): Promise<void>;
}

/** Remembers what it wrote while the process is warm. */
export function createReasonWriter(store: Pick<Store, 'putReasons'>, clock: Clock): ReasonWriter {
  const written = new Map<string, { readonly text: string; readonly gist: string; readonly at: number }>();
  return {
    async write(unplaced, rows) {
      const now = clock();
      const notes = new Map<string, { key: JobKey; configId: string; reason: PendingReason }>();
      for (const { taskId, reason } of unplaced) {
        const row = rows.get(taskId);
        if (!row) continue;
        const name = `${jobPath(row.key)}/${row.configId}`;
        if (!notes.has(name)) notes.set(name, { key: row.key, configId: row.configId, reason });
      }
      const fresh = [...notes].filter(([name, { reason }]) => {
        const last = written.get(name);
        if (!last || last.gist !== gistOf(reason)) return true;
        const quietMs = last.text === textOf(reason) ? refreshMs : restlessMs;
        return now - last.at >= quietMs;
      });
      if (fresh.length === 0) return;
      await store.putReasons(fresh.map(([, note]) => note));
      if (written.size + fresh.length > maxRemembered) written.clear();
      for (const [name, { reason }] of fresh) {
        written.set(name, { text: textOf(reason), gist: gistOf(reason), at: now });
      }
    },
  };
}

/** What stands against the task, without numbers. */
function gistOf({ verdict, counts }: PendingReason): string {
  return [verdict, ...counts.map(({ code, attribute = '' }) => `${code} ${attribute}`).sort()].join();
}

/** The reason without its time. */
function textOf({ at: _at, ...rest }: PendingReason): string {
  return JSON.stringify(rest);
}
