// Atomic write: a whole ledger, worked out from the row as it was read.
//
// Preconditions  the row is still at the version it was read at
// Items          1 ledger row
// Outcomes       committed | conflict with the ledger as it is now (absent: no such agent)
// Retry safety   a repeat after a lost answer finds the version moved on: conflict
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Ledger } from '../../model/agent.ts';
import { decodeLedger, encodeLedger } from '../codec/agent-row.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { whileBusy } from './while-busy.ts';

export type PutLedgerOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'conflict'; readonly current?: Ledger };

export async function putLedger(
  connection: Connection,
  ledger: Ledger,
  atVersion: number,
): Promise<PutLedgerOutcome> {
  const command = () =>
    new PutCommand({
      TableName: connection.state,
      Item: encodeLedger(ledger),
      ConditionExpression: '#v = :version',
      ExpressionAttributeNames: { '#v': 'v' },
      ExpressionAttributeValues: { ':version': atVersion },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
  try {
    await whileBusy('release', () => send(connection, 'release', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('release', error);
    return error.Item === undefined
      ? { kind: 'conflict' }
      : { kind: 'conflict', current: decodeLedger(plainRow(error.Item)) };
  }
}
