// Reading many rows of which one may make no sense: it is set aside and the others are worked on, if whoever asks can do
// without it. Who cannot (because a missing row would mean something else) passes no `aside`, and the read fails.
import { isUnreadable, type Row } from '../codec/row.ts';
import { agentPrefix, ledgerPrefix, parseTaskKey, taskPrefix } from '../keys.ts';
import type { SetAside, UnreadableRow } from '../port.ts';

/** Decodes each row. One that cannot be read is handed to `aside`, or thrown as INTERNAL if there is none. */
export function decodeAll<T>(
  rows: readonly Row[],
  decode: (row: Row) => T,
  aside: SetAside | undefined,
): T[] {
  return rows.flatMap((row) => {
    try {
      return [decode(row)];
    } catch (error) {
      if (!aside || !isUnreadable(error)) throw error;
      aside(unreadableRow(row, error));
      return [];
    }
  });
}

function unreadableRow(row: Row, error: unknown): UnreadableRow {
  const [pk, sk] = [String(row.pk), String(row.sk)];
  const task = pk.startsWith(taskPrefix) ? parseTaskKey(pk, sk) : undefined;
  const isAgent = sk.startsWith(agentPrefix) || sk.startsWith(ledgerPrefix);
  const agentId = isAgent && pk.startsWith('AGENTS#') ? sk.slice(agentPrefix.length) : undefined;
  return { pk, sk, error, ...(task && { task }), ...(agentId !== undefined && { agentId }) };
}
