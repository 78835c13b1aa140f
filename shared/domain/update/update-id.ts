// Ids of updates: they sort by the time they were made, which is how listings find the newest first.
import type { IdSource } from '../../lib/ports.ts';

/** A new id: base-36 epoch ms (good until 5188) and a random part. */
export function newUpdateId(now: number, ids: IdSource): string {
  return `${now.toString(36).padStart(9, '0')}-${ids()}`;
}
