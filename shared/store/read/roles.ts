// The directory of roles, walked in order: every role that ever had a job or an update.
import type { Connection } from '../connection.ts';
import { rolesPartition } from '../keys.ts';
import { queryPage } from './query.ts';

/** The role that follows; `role` undefined: the first. Undefined at the end. `operation` is what the read is part of. */
export async function roleAfter(
  connection: Connection,
  operation: string,
  role: string | undefined,
): Promise<string | undefined> {
  const { rows } = await queryPage(connection, operation, {
    TableName: connection.state,
    KeyConditionExpression: role === undefined ? 'pk = :pk' : 'pk = :pk AND sk > :role',
    ExpressionAttributeValues: { ':pk': rolesPartition, ...(role !== undefined && { ':role': role }) },
    Limit: 1,
  });
  return rows[0]?.sk as string | undefined;
}
