// Atomic write: an update comes to exist, and the job names it as its active one.
//
// Preconditions  the job is at the versions it was read at, or does not exist if it was not there; so a job has one
//                active update at most, and whoever was changing the job meanwhile has to look again. The client token,
//                if given, is new
// Items          1 job row, the token's row, 2 rows of the update, 1 entry in the directory of the role's updates. Before it, each by
//                itself: the configs asked for and the role's own directory entry, which say the same whenever written
// Outcomes       created | tokenUsed | conflict with the job as it is now
// Retry safety   a repeat after a lost answer finds the job naming this update, and says created
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../model/job.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { decodeJob, encodeConfig, encodeJob } from '../codec/job-row.ts';
import { encodePlan, headAttributes } from '../codec/update-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { mapLimit } from '../flow.ts';
import { updateDirectory, updateKeyOf } from '../keys.ts';
import type { CreateUpdateInput, CreateUpdateOutcome, JobWrite } from '../port.ts';
import type { StoredItem } from './conflict.ts';
import { putRow } from './put-row.ts';
import { tokenItem } from './token-item.ts';
import { updateDueEntry } from './update-due-entry.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

const putsInFlight = 8;

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

export async function createUpdate(
  connection: Connection,
  input: CreateUpdateInput,
): Promise<CreateUpdateOutcome> {
  const { update, job, configs, token } = input;
  // The rows are checked for size before anything is written.
  const items = [
    jobItem(connection, job),
    ...(token ? [tokenItem(connection, { ...token, updateId: update.updateId }, update.createdAt)] : []),
    ...updateItems(connection, input),
  ];
  const rows = [...configs].map(([configId, config]) => encodeConfig(update, configId, config));
  await mapLimit(rows, putsInFlight, (row) => putRow(connection, connection.state, 'createUpdate', row));
  try {
    const command = () => new TransactWriteCommand({ TransactItems: items });
    await whileBusy('createUpdate', () => send(connection, 'createUpdate', 'write', command()));
    return { kind: 'created' };
  } catch (error) {
    const [jobReason, tokenReason] = cancellationReasons('createUpdate', error);
    const jobMoved = jobReason?.Code === 'ConditionalCheckFailed';
    const current = jobMoved ? jobOf(jobReason.Item) : undefined;
    if (current?.updateId === update.updateId) return { kind: 'created' };
    if (token && tokenReason?.Code === 'ConditionalCheckFailed') return { kind: 'tokenUsed' };
    if (!jobMoved) throw storeError('createUpdate', error);
    return current ? { kind: 'conflict', current } : { kind: 'conflict' };
  }
}

/** Replaces the job's row if it is as it was read. */
export function jobItem(connection: Connection, { next, expected }: JobWrite): TransactItem {
  return {
    Put: {
      TableName: connection.state,
      Item: encodeJob(next),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      ...(expected === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : {
            ConditionExpression: '#v = :v AND #rv = :rv',
            ExpressionAttributeNames: { '#v': 'v', '#rv': 'rv' },
            ExpressionAttributeValues: { ':v': expected.specVersion, ':rv': expected.reconciledVersion },
          }),
    },
  };
}

function updateItems(connection: Connection, { update }: CreateUpdateInput): TransactItem[] {
  const { role, environment, name, updateId } = update;
  const head = {
    ...updateKeyOf(update, updateId),
    ...headAttributes({ update, version: 1, sequence: 1 }),
    ...updateDueEntry(update, update.createdAt),
  };
  const entry = { pk: updateDirectory(role), sk: updateId, en: environment, nm: name };
  return [head, encodePlan(update), entry].map((Item) => ({ Put: { TableName: connection.state, Item } }));
}

function jobOf(item: StoredItem): Job | undefined {
  return item === undefined || Object.keys(item).length === 0 ? undefined : decodeJob(plainRow(item));
}
