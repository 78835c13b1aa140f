// Atomic write: one row whose content follows from its key or whose last writer may win (a config by its content id, a
// directory entry).
//
// Preconditions  none
// Items          1 row
// Outcomes       written
// Retry safety   a repeat writes the same
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { whileBusy } from './while-busy.ts';

export async function putRow(
  connection: Connection,
  table: string,
  operation: string,
  row: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    const command = () => new PutCommand({ TableName: table, Item: row });
    await whileBusy(operation, () => send(connection, operation, 'write', command()));
  } catch (error) {
    throw storeError(operation, error);
  }
}
