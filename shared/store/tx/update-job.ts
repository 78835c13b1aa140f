// Atomic write: a job's row is replaced.
//
// Preconditions  the row is at the spec version and the reconciled version it was read at; the client token, if given,
//                is new
// Items          1 job row; with a token its row too, in one transaction
// Outcomes       committed | conflict with the job as it is now (absent: gone) | tokenUsed
// Retry safety   a repeat after a lost answer finds the versions moved on: conflict, and the caller sees its own change.
//                With a token it finds that taken
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../model/job.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { decodeJob, encodeJob } from '../codec/job-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import type { ClientToken, UpdateJobOutcome } from '../port.ts';
import type { StoredItem } from './conflict.ts';
import { tokenItem } from './token-item.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

interface UpdateJobInput {
  readonly next: Job;
  readonly expected: { readonly specVersion: number; readonly reconciledVersion: number };
  readonly token?: ClientToken;
  /** Epoch ms, for the token's life. */
  readonly now: number;
}

export async function updateJob(connection: Connection, input: UpdateJobInput): Promise<UpdateJobOutcome> {
  const { next, expected, token, now } = input;
  const put = {
    TableName: connection.state,
    Item: encodeJob(next),
    ConditionExpression: '#v = :v AND #rv = :rv',
    ExpressionAttributeNames: { '#v': 'v', '#rv': 'rv' },
    ExpressionAttributeValues: { ':v': expected.specVersion, ':rv': expected.reconciledVersion },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
  const command = () =>
    token === undefined
      ? new PutCommand(put)
      : new TransactWriteCommand({ TransactItems: [{ Put: put }, tokenItem(connection, token, now)] });
  try {
    await whileBusy('updateJob', () => send(connection, 'updateJob', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return conflictWith(error.Item);
    if (token === undefined) throw storeError('updateJob', error);
    const [jobReason, tokenReason] = cancellationReasons('updateJob', error);
    if (tokenReason?.Code === 'ConditionalCheckFailed') return { kind: 'tokenUsed' };
    if (jobReason?.Code === 'ConditionalCheckFailed') return conflictWith(jobReason.Item);
    throw storeError('updateJob', error);
  }
}

function conflictWith(item: StoredItem): UpdateJobOutcome {
  return item === undefined || Object.keys(item).length === 0
    ? { kind: 'conflict' }
    : { kind: 'conflict', current: decodeJob(plainRow(item)) };
}
