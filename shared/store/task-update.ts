// What a state change writes: the difference between the row as read and as it becomes, and the index entries that the
// new state needs. Pure; the transactions in tx/ send it.
import { BorealisError } from '../lib/errors.ts';
import type { Task } from '../model/task.ts';
import { encodeEvent, expiryOf, ownAttributes, suffixOf } from './codec/task-row.ts';
import type { Condition, UpdateSpec } from './expression.ts';
import { dueKeysOf, pendingKeysOf } from './keys.ts';
import { ttlAttribute } from './tables.ts';

/** The row is still this task (not a later one of the same instance and generation) and in this state. */
export function stillInState(taskId: string, state: Task['state']): Condition {
  return {
    text: '#x = :x AND #s = :from',
    names: { '#x': 'x', '#s': 's' },
    values: { ':x': suffixOf(taskId), ':from': state },
  };
}

/**
 * Nothing happened since it was read. The state alone would not notice RUNNING -> PARTITIONED -> RUNNING, and the write
 * would then lose those events.
 */
export function historyUnchanged(task: Task): Condition {
  const last = task.events.at(-1);
  if (last === undefined) return { text: 'size(#e) = :count', names: { '#e': 'e' }, values: { ':count': 0 } };
  return {
    text: `size(#e) = :count AND #e[${task.events.length - 1}] = :last`,
    names: { '#e': 'e' },
    values: { ':count': task.events.length, ':last': encodeEvent(last) },
  };
}

/** The attributes to set, append and remove so that the row of `before` becomes that of `after`. */
export function updateOf(before: Task, after: Task, historyMs: number): UpdateSpec {
  if (before.taskId !== after.taskId) {
    throw new BorealisError(
      'INTERNAL',
      `${before.taskId} cannot become ${after.taskId}; nothing was changed`,
    );
  }
  const set: Record<string, unknown> = {};
  const remove: string[] = [];
  difference(ownAttributes(before), ownAttributes(after), set, remove);
  clearDeadline(set, remove);
  pendingEntry(before, after, set, remove);
  dueEntry(before, after, set, remove);
  const expiresAt = expiryOf(after, historyMs);
  if (expiresAt !== undefined) set[ttlAttribute] = expiresAt;
  const added = addedEvents(before, after);
  if (added === undefined) set.e = after.events.map(encodeEvent);
  return { set, remove, ...(added !== undefined && added.length > 0 && { append: { e: added } }) };
}

function difference(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  set: Record<string, unknown>,
  remove: string[],
): void {
  for (const [name, value] of Object.entries(after)) if (before[name] !== value) set[name] = value;
  for (const name of Object.keys(before)) if (!(name in after)) remove.push(name);
}

/** Zero means none: a batched statement can remove one attribute only (tx/transition-tasks.ts). */
function clearDeadline(set: Record<string, unknown>, remove: string[]): void {
  const index = remove.indexOf('dl');
  if (index < 0) return;
  remove.splice(index, 1);
  set.dl = 0;
}

/** Events after the ones already stored, or undefined if the history was rewritten. */
function addedEvents(before: Task, after: Task): string[] | undefined {
  const kept = before.events.length;
  const last = before.events.at(-1);
  const same = after.events[kept - 1];
  if (last === undefined || same === undefined || encodeEvent(last) !== encodeEvent(same)) return undefined;
  return after.events.slice(kept).map(encodeEvent);
}

function pendingEntry(before: Task, after: Task, set: Record<string, unknown>, remove: string[]): void {
  if (after.state === 'PENDING') Object.assign(set, pendingKeysOf(after));
  else if (before.state === 'PENDING') remove.push('gp', 'gs');
}

/**
 * The due index is lazy: an entry says when to look, the row's deadline decides. An entry that comes up too early costs
 * the sweep one read and one move, moving it at every change costs two write units; so an entry is only written when
 * there is none or when the deadline came nearer.
 *
 *   ASSIGNED --------- STARTING ------------- RUNNING
 *   entry at 5 min     row 2 min later,       entry removed
 *                      entry stays
 */
function dueEntry(before: Task, after: Task, set: Record<string, unknown>, remove: string[]): void {
  if (after.deadlineAt === undefined) {
    // Without one of its keys a row is in no index; the shard may stay.
    if (before.deadlineAt !== undefined) remove.push('gt');
  } else if (before.deadlineAt === undefined || after.deadlineAt < before.deadlineAt) {
    Object.assign(set, dueKeysOf(after.taskId, after.deadlineAt));
  }
}
