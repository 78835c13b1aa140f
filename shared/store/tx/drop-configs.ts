// Atomic writes: the configs of a job that is gone go as well.
//
// Preconditions  no job has the key; asked in the same transaction, so that a job of that name that is made meanwhile
//                keeps what it wrote
// Items          24 configs and a condition on the job's key, a transaction
// Outcomes       how many went: all, or those before a job of the name appeared
// Retry safety   a repeat finds nothing
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { JobKey } from '../../model/job-key.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { chunks } from '../flow.ts';
import { configKeyOf, jobKeyOf } from '../keys.ts';
import { queryAll } from '../read/query.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

const configsPerTransaction = 24;

export async function dropConfigs(connection: Connection, key: JobKey): Promise<number> {
  const TableName = connection.state;
  const rows = await queryAll(connection, 'dropConfigs', {
    TableName,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': configKeyOf(key, '').pk },
    ProjectionExpression: 'pk, sk',
    ConsistentRead: true,
  });
  let dropped = 0;
  for (const part of chunks(rows, configsPerTransaction)) {
    const noJob = { TableName, Key: jobKeyOf(key), ConditionExpression: 'attribute_not_exists(pk)' };
    const TransactItems = [
      { ConditionCheck: noJob },
      ...part.map(({ pk, sk }) => ({ Delete: { TableName, Key: { pk, sk } } })),
    ];
    try {
      const command = () => new TransactWriteCommand({ TransactItems });
      await whileBusy('dropConfigs', () => send(connection, 'dropConfigs', 'write', command()));
    } catch (error) {
      const codes = cancellationReasons('dropConfigs', error).map(({ Code }) => Code);
      if (codes.includes('ConditionalCheckFailed')) return dropped;
      throw storeError('dropConfigs', error);
    }
    dropped += part.length;
  }
  return dropped;
}
