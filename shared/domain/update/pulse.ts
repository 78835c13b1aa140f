// Coordinated updates: another service must keep saying that all is well (spec/updates.md section 10).
import type { UpdateRecord } from '../../model/update.ts';

/** Are pulses configured and is the last one too old? Asked only when the update is about to go on: no timer stops it. */
export function pulseExpired(
  { settings, lastPulseAt }: Pick<UpdateRecord, 'settings' | 'lastPulseAt'>,
  now: number,
): boolean {
  const interval = settings.blockIfNoPulsesAfterMs;
  return interval > 0 && (lastPulseAt === 0 || now - lastPulseAt >= interval);
}
