// Updates as stored rows. The row that changes is kept apart from what was asked for, so that a step of an update over
// thousands of ranges costs no more than one of a simple update.
//
//   U#<id>     v version   q sequence   s status   j {progress, events, lastPulseAt, updatedAt}   gd, gt while rolling
//   U#<id>#P   j the rest of the record
//   E#...      j [[instance, action, at, message?], ...]
import { BorealisError } from '../../lib/errors.ts';
import type { JobKey } from '../../model/job-key.ts';
import {
  type InstanceEvent,
  instanceActions,
  type UpdateRecord,
  updateRecordSchema,
} from '../../model/update.ts';
import { instanceEventsPartition, instanceEventsSortKey, updatePlanKeyOf, updatePrefix } from '../keys.ts';
import type { StoredUpdate, UpdateHead } from '../port.ts';
import { checkSize, type JsonRow } from './job-row.ts';
import { decoder, jsonOf, numberOf, type Row, stringOf, unreadable } from './row.ts';

const advice = 'Update fewer instances at once, or contiguous ones.';

/** The attributes of the changing row, without keys. */
export function headAttributes({ update, version, sequence }: StoredUpdate): {
  readonly v: number;
  readonly q: number;
  readonly s: string;
  readonly j: string;
} {
  const { progress, events, lastPulseAt, updatedAt } = update;
  const j = JSON.stringify({ progress, events, lastPulseAt, updatedAt });
  checkSize(j, `the progress of update ${update.updateId}`, advice);
  return { v: version, q: sequence, s: update.status, j };
}

/** The row that never changes. */
export function encodePlan(update: UpdateRecord): JsonRow {
  const { progress: _p, events: _e, lastPulseAt: _l, updatedAt: _u, status: _s, ...plan } = update;
  const j = JSON.stringify(plan);
  checkSize(j, `update ${update.updateId}`, advice);
  return { ...updatePlanKeyOf(update, update.updateId), j };
}

/** An update from its two rows; read through the schema, which fills in later defaults. */
function decodeUpdate(head: Row, plan: Row): StoredUpdate {
  const parsed = updateRecordSchema.safeParse({
    ...(jsonOf(plan, 'j', 'update') as object),
    ...(jsonOf(head, 'j', 'update') as object),
    status: head.s,
  });
  if (!parsed.success) throw unreadable('update', head, parsed.error);
  return {
    update: parsed.data,
    version: numberOf(head, 'v', 'update'),
    sequence: numberOf(head, 'q', 'update'),
  };
}

/** Is this the key of the changing row of an update? */
export function isUpdateHead(pk: string, sk: string): boolean {
  return pk.startsWith(updatePrefix) && sk.startsWith('U#') && !sk.slice(2).includes('#');
}

/** What the changing row says by itself. */
export const decodeUpdateHead = decoder('update', (row): UpdateHead => {
  const [role = '', environment = '', name = ''] = stringOf(row, 'pk', 'update')
    .slice(updatePrefix.length)
    .split('/');
  const { events } = jsonOf(row, 'j', 'update') as Pick<UpdateRecord, 'events'>;
  return {
    role,
    environment,
    name,
    updateId: stringOf(row, 'sk', 'update').slice(2),
    status: stringOf(row, 's', 'update') as UpdateRecord['status'],
    sequence: numberOf(row, 'q', 'update'),
    events,
  };
});

/** Pairs the rows of a listing; an update of which one row is missing (its time to be deleted has come) is left out. */
export function decodeUpdates(rows: readonly Row[]): StoredUpdate[] {
  const plans = new Map(
    rows
      .filter(({ sk }) => String(sk).endsWith('#P'))
      .map((row) => [`${String(row.pk)} ${String(row.sk)}`, row]),
  );
  return rows.flatMap((head) => {
    const plan = plans.get(`${String(head.pk)} ${String(head.sk)}#P`);
    return plan ? [decodeUpdate(head, plan)] : [];
  });
}

const eventsPerRow = 1000;
const maxEventRows = 90;

/** The rows of what happened to instances in one write. INTERNAL beyond what one transaction takes (90,000 events). */
export function encodeInstanceEvents(
  key: JobKey,
  updateId: string,
  version: number,
  events: readonly InstanceEvent[],
): JsonRow[] {
  if (events.length > eventsPerRow * maxEventRows) {
    throw new BorealisError(
      'INTERNAL',
      `update ${updateId}: ${events.length} events are too many for one step`,
    );
  }
  const pk = instanceEventsPartition(key, updateId);
  return Array.from({ length: Math.ceil(events.length / eventsPerRow) }, (_, part) => ({
    pk,
    sk: instanceEventsSortKey(version, part),
    j: JSON.stringify(events.slice(part * eventsPerRow, (part + 1) * eventsPerRow).map(compactEvent)),
  }));
}

type CompactEvent = readonly [instance: number, action: number, at: number, message?: string];

function compactEvent({ instance, action, at, message }: InstanceEvent): CompactEvent {
  const code = instanceActions.indexOf(action);
  return message === undefined ? [instance, code, at] : [instance, code, at, message];
}

export const decodeInstanceEvents = decoder('update events', (row): InstanceEvent[] => {
  const events = jsonOf(row, 'j', 'update events') as readonly CompactEvent[];
  return events.map(([instance, code, at, message]) => {
    const action = instanceActions[code];
    if (action === undefined) throw unreadable('update events', row);
    return { instance, action, at, ...(message !== undefined && { message }) };
  });
});
