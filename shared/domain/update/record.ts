// Changes of an update's record that are the same whoever causes them: going to another status, with the event that
// tells of it, and what each direction starts with.
import { BorealisError } from '../../lib/errors.ts';
import { toInstanceRanges } from '../../model/instance-ranges.ts';
import type { InstanceRange } from '../../model/job-key.ts';
import type { UpdateEvent, UpdateProgress, UpdateRecord, UpdateStatus } from '../../model/update.ts';
import { isGoingBack, isRolling, mayMove } from './status-machine.ts';

/** Events kept in the record; beyond it the oldest but the first go. */
const maxUpdateEvents = 100;

export interface MoveReason {
  /** Epoch ms. */
  readonly now: number;
  readonly user?: string | undefined;
  readonly message?: string | undefined;
}

/**
 * The record in another status. Turning back makes a new pass over what was visited; going on after a stop gives the
 * instances whose turn it is a fresh start. INTERNAL if the table does not allow it: a fault of the calling code.
 */
export function moveTo(update: UpdateRecord, to: UpdateStatus, reason: MoveReason): UpdateRecord {
  const { status, updateId } = update;
  if (!mayMove(status, to)) {
    throw new BorealisError(
      'INTERNAL',
      `update ${updateId} cannot go from ${status} to ${to}; it is unchanged`,
    );
  }
  // A history that runs backwards would be hard to read, and handlers' clocks differ a little.
  const at = Math.max(reason.now, update.updatedAt);
  const { user, message } = reason;
  const event: UpdateEvent = { status: to, at, ...(user && { user }), ...(message && { message }) };
  const turns = to === 'ROLLING_BACK' && !isGoingBack(status);
  const resumes = isRolling(to) && !isRolling(status);
  return {
    ...update,
    status: to,
    progress: turns ? turned(update.progress) : resumes ? resumed(update.progress, at) : update.progress,
    events: appendEvent(update.events, event),
    updatedAt: at,
  };
}

function appendEvent(events: readonly UpdateEvent[], event: UpdateEvent): UpdateEvent[] {
  const appended = [...events, event];
  return appended.length <= maxUpdateEvents ? appended : [...appended.slice(0, 1), ...appended.slice(2)];
}

/** The way back starts with nothing done. Take-downs in flight stay known: they may yet land. */
function turned({ visited, taken, down }: UpdateProgress): UpdateProgress {
  return { visited, revisited: 0, working: [], taken, failed: [], ...(down && { down }) };
}

function resumed(progress: UpdateProgress, at: number): UpdateProgress {
  const instances = progress.working.flatMap((entry) => entry.instances);
  return { ...progress, working: instances.length === 0 ? [] : [{ since: at, instances }] };
}

/**
 * Entries of `working` kept apart, for the record's size; beyond it the two oldest become one and count failures from
 * the earlier. Only a queue of more than this many slots, all filled at different times, gets there.
 */
const maxWorkingEntries = 512;

/** The compact form of the instances whose turn it is. */
export function packWorking(
  turns: Iterable<readonly [instance: number, since: number]>,
): UpdateProgress['working'] {
  const byTime = Map.groupBy(turns, ([, since]) => since);
  let entries = Array.from(byTime, ([since, members]) => ({
    since,
    instances: members.map(([instance]) => instance),
  })).sort((a, b) => a.since - b.since);
  while (entries.length > maxWorkingEntries) {
    const [first, second, ...rest] = entries as [Entry, Entry, ...Entry[]];
    entries = [{ since: first.since, instances: [...first.instances, ...second.instances] }, ...rest];
  }
  return entries.map(({ since, instances }) => ({ since, instances: toInstanceRanges(instances) }));
}
interface Entry {
  readonly since: number;
  readonly instances: number[];
}

/** What an update starts with. */
export function startedProgress(): UpdateProgress {
  return { visited: 0, revisited: 0, working: [], taken: [], failed: [] };
}

/** Were these the same sets? Both as this module and instance-ranges.ts write them. */
export function sameRanges(one: readonly InstanceRange[], other: readonly InstanceRange[]): boolean {
  return (
    one.length === other.length &&
    one.every(([low, high], i) => low === other[i]?.[0] && high === other[i][1])
  );
}
