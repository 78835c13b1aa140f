// When the sweeper looks at the execution of an update: a while after each became its own, and only while it must have
// one. Not an atomic write by itself; part of those that write an update.
import { isRolling } from '../../domain/update/status-machine.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { updateDueKeysOf } from '../keys.ts';

/** Time for an execution to be started before somebody looks, milliseconds. */
const graceMs = 60_000;

/** Keys of the due index; none unless the update acts. */
export function updateDueEntry(
  update: UpdateRecord,
  now: number,
): Partial<Readonly<Record<'gd' | 'gt', string>>> {
  return isRolling(update.status) ? updateDueKeysOf(update, update.updateId, now + graceMs) : {};
}
