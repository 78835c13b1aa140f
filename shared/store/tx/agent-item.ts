// The row of an agent as it becomes, as an item of the write that changes it: taken only if the row is as it was read.
// Not an atomic write by itself.
import type { PutCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Agent } from '../../model/agent.ts';
import { encodeAgent } from '../codec/agent-row.ts';
import type { Connection } from '../connection.ts';

/** Replaces the row of `read` by `next`, the same agent. */
export function agentItem(
  connection: Connection,
  read: Agent,
  next: Agent,
): { readonly Put: PutCommandInput } {
  return {
    Put: {
      TableName: connection.state,
      Item: encodeAgent(next),
      ConditionExpression: '#j = :read',
      ExpressionAttributeNames: { '#j': 'j' },
      ExpressionAttributeValues: { ':read': encodeAgent(read).j },
    },
  };
}
