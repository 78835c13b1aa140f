// Atomic write: a job that has ended gets a day on which its row goes. Whoever changes the job writes the whole row anew,
// without that day; DynamoDB then has nothing to delete.
//
// Preconditions  the job's row is as it was read
// Items          1 job row
// Outcomes       committed | conflict: the job was changed or is gone, nothing is to be done
// Retry safety   a repeat writes the same
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../model/job.ts';
import { encodeJob } from '../codec/job-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { renderUpdate } from '../expression.ts';
import { jobKeyOf } from '../keys.ts';
import { ttlAttribute } from '../tables.ts';
import { whileBusy } from './while-busy.ts';

/** `at`: epoch ms. */
export async function expireJob(
  connection: Connection,
  job: Job,
  at: number,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const asRead = { text: '#j = :read', names: { '#j': 'j' }, values: { ':read': encodeJob(job).j } };
  const spec = { set: { [ttlAttribute]: Math.ceil(at / 1000) }, remove: [] };
  const command = () =>
    new UpdateCommand({
      TableName: connection.state,
      Key: jobKeyOf(job),
      ...renderUpdate(spec, [asRead]),
    });
  try {
    await whileBusy('expireJob', () => send(connection, 'expireJob', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return { kind: 'conflict' };
    throw storeError('expireJob', error);
  }
}
