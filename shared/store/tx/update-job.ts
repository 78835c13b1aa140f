// Atomic write: a job's row is replaced.
//
// Preconditions  the row is at the spec version and the reconciled version it was read at
// Items          1 job row
// Outcomes       committed | conflict with the job as it is now (absent: gone)
// Retry safety   a repeat after a lost answer finds the versions moved on: conflict, and the caller sees its own change
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../model/job.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { decodeJob, encodeJob } from '../codec/job-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { whileBusy } from './while-busy.ts';

export type UpdateJobOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'conflict'; readonly current?: Job };

export async function updateJob(
  connection: Connection,
  next: Job,
  expected: { readonly specVersion: number; readonly reconciledVersion: number },
): Promise<UpdateJobOutcome> {
  const Item = encodeJob(next);
  const command = () =>
    new PutCommand({
      TableName: connection.state,
      Item,
      ConditionExpression: '#v = :v AND #rv = :rv',
      ExpressionAttributeNames: { '#v': 'v', '#rv': 'rv' },
      ExpressionAttributeValues: { ':v': expected.specVersion, ':rv': expected.reconciledVersion },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
  try {
    await whileBusy('updateJob', () => send(connection, 'updateJob', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('updateJob', error);
    return error.Item === undefined
      ? { kind: 'conflict' }
      : { kind: 'conflict', current: decodeJob(plainRow(error.Item)) };
  }
}
