// What a batch of the intake queue says of the way it came: probes of the sweep that have arrived, and reports that were
// under way for too long.
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import type { Clock } from '../../shared/lib/ports.ts';
import { lateAfterMs } from '../../shared/model/passage.ts';
import { probeSchema } from '../../shared/model/wake.ts';
import type { Store } from '../../shared/store/port.ts';
import type { Log } from '../ports.ts';

export interface Probe {
  /** The queue message it came in. */
  readonly id: string;
  /** Epoch ms. */
  readonly sentAt: number;
}

/** Undefined if it is something else. */
export function readProbe({ messageId: id, body }: SQSRecord): Probe | undefined {
  try {
    const { data } = probeSchema.safeParse(JSON.parse(body));
    return data && { id, sentAt: data.probe };
  } catch {
    return undefined;
  }
}

/** Notes the newest of them; if that fails they come again. */
export async function notePassed(
  probes: readonly Probe[],
  failed: Set<string>,
  {
    store,
    clock,
    log,
  }: { readonly store: Pick<Store, 'notePassage'>; readonly clock: Clock; readonly log: Log },
): Promise<void> {
  // One from the future would speak for what is not sent yet.
  const latest = clock() + lateAfterMs;
  const probedAt = Math.max(...probes.map(({ sentAt }) => (sentAt <= latest ? sentAt : 0)));
  if (probedAt <= 0) return;
  try {
    await store.notePassage({ probedAt });
  } catch (error) {
    for (const { id } of probes) failed.add(id);
    log.error('a probe could not be noted; it comes again', { error });
  }
}

interface Delays {
  /** Longest time in the queue of those that come for the first time, ms: they waited for nothing but their turn. */
  readonly first: number;
  /** Ids of those that came late after having failed. */
  readonly retried: readonly string[];
}

/** Of messages with statuses, as far as the queue says when it took them. */
export function delaysOf(
  event: SQSEvent,
  statuses: readonly { readonly messageId: string }[],
  now: number,
): Delays {
  const wanted = new Set(statuses.map(({ messageId }) => messageId));
  let first = 0;
  const retried: string[] = [];
  for (const { messageId: id, attributes } of event.Records) {
    const sentAt = Number(attributes?.SentTimestamp ?? now);
    if (!wanted.has(id) || now - sentAt <= lateAfterMs) continue;
    if (Number(attributes?.ApproximateReceiveCount ?? 1) > 1) retried.push(id);
    else first = Math.max(first, now - sentAt);
  }
  return { first, retried };
}
