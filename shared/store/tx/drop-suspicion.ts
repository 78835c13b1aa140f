// Atomic write: an agent's ledger is not suspected any more.
//
// Preconditions  none
// Items          1 row of the notes table
// Outcomes       gone
// Retry safety   a repeat finds none; a suspicion another audit stored meanwhile goes as well, and comes back if it is true
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { type Connection, send } from '../connection.ts';
import { suspicionKeyOf } from '../keys.ts';

export async function dropSuspicion(connection: Connection, agentId: string): Promise<void> {
  const command = new DeleteCommand({ TableName: connection.notes, Key: suspicionKeyOf(agentId) });
  await send(connection, 'dropSuspicion', 'write', command);
}
