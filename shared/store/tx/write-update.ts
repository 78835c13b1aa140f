// Atomic write: an update goes a step on (or is called upon), with the job that follows it and what happened to instances.
//
// Preconditions  the update is at the version it was read at; the job, if it changes, at the versions it was read at
// Items          1 row of the update; where they apply: 1 job row, 1 row per 1,000 instance events; once it has ended its
//                other two rows, which get an expiry. Alone, the row is a plain update at half the price
// Outcomes       committed with the update as stored | conflict
// Retry safety   a repeat after a lost answer finds the version moved on: conflict, and the caller sees its own change
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { isRolling } from '../../domain/update/status-machine.ts';
import { isTerminalUpdate } from '../../model/update.ts';
import { encodeInstanceEvents, headAttributes } from '../codec/update-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { type Rendered, renderUpdate } from '../expression.ts';
import { type Key, updateDirectory, updateKeyOf, updatePlanKeyOf } from '../keys.ts';
import type { StoredUpdate, WriteUpdateInput, WriteUpdateOutcome } from '../port.ts';
import { ttlAttribute } from '../tables.ts';
import { jobItem } from './create-update.ts';
import { updateDueEntry } from './update-due-entry.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

/** How long ended updates are kept (spec/updates.md section 11); the same for what happened to instances, from then on. */
const keptMs = 30 * 24 * 3600_000;
/** Events are written while nobody knows when the update will end. */
const eventsKeptMs = 90 * 24 * 3600_000;

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

export async function writeUpdate(
  connection: Connection,
  input: WriteUpdateInput,
): Promise<WriteUpdateOutcome> {
  const stored = storedAfter(input);
  const head = { TableName: connection.state, Key: headKey(stored), ...headUpdate(input, stored) };
  const others = otherItems(connection, input, stored);
  try {
    await whileBusy('writeUpdate', () =>
      send(
        connection,
        'writeUpdate',
        'write',
        others.length === 0
          ? new UpdateCommand(head)
          : new TransactWriteCommand({ TransactItems: [{ Update: head }, ...others] }),
      ),
    );
    return { kind: 'committed', stored };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return { kind: 'conflict' };
    const reasons = cancellationReasons('writeUpdate', error);
    if (reasons.some(({ Code }) => Code === 'ConditionalCheckFailed')) return { kind: 'conflict' };
    throw storeError('writeUpdate', error);
  }
}

function storedAfter({ before, next, newExecution }: WriteUpdateInput): StoredUpdate {
  const acts = isRolling(next.status);
  const anew = acts && (newExecution === true || !isRolling(before.update.status));
  return { update: next, version: before.version + 1, sequence: before.sequence + (anew ? 1 : 0) };
}

function headKey({ update }: StoredUpdate): Key {
  return updateKeyOf(update, update.updateId);
}

function headUpdate({ before, next, now }: WriteUpdateInput, stored: StoredUpdate): Rendered {
  const { status } = next;
  const set: Record<string, unknown> = headAttributes(stored);
  const remove: string[] = [];
  // An entry of the index costs as much as the row: it is only touched when another execution begins, or none is needed.
  if (stored.sequence !== before.sequence) Object.assign(set, updateDueEntry(next, now));
  else if (!isRolling(status) && isRolling(before.update.status)) remove.push('gd', 'gt');
  if (isTerminalUpdate(status)) set[ttlAttribute] = Math.floor((next.updatedAt + keptMs) / 1000);
  const unchanged = { text: '#v = :before', names: { '#v': 'v' }, values: { ':before': before.version } };
  return renderUpdate({ set, remove }, [unchanged]);
}

function otherItems(
  connection: Connection,
  { before, next, job, instanceEvents = [], now }: WriteUpdateInput,
  { version }: StoredUpdate,
): TransactItem[] {
  const expiresAt = Math.floor((now + eventsKeptMs) / 1000);
  const events = encodeInstanceEvents(next, next.updateId, version, instanceEvents);
  const ends = isTerminalUpdate(next.status) && !isTerminalUpdate(before.update.status);
  return [
    ...(job ? [jobItem(connection, job)] : []),
    ...events.map(
      (row): TransactItem => ({
        Put: { TableName: connection.state, Item: { ...row, [ttlAttribute]: expiresAt } },
      }),
    ),
    ...(ends ? expiryItems(connection, next) : []),
  ];
}

function expiryItems(connection: Connection, next: WriteUpdateInput['next']): TransactItem[] {
  const expiresAt = Math.floor((next.updatedAt + keptMs) / 1000);
  const rows: Key[] = [
    updatePlanKeyOf(next, next.updateId),
    { pk: updateDirectory(next.role), sk: next.updateId },
  ];
  return rows.map((Key) => ({
    Update: {
      TableName: connection.state,
      Key,
      UpdateExpression: 'SET #expires = :expires',
      ExpressionAttributeNames: { '#expires': ttlAttribute },
      ExpressionAttributeValues: { ':expires': expiresAt },
    },
  }));
}
