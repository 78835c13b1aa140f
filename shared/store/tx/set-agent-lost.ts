// Atomic write: an agent is declared lost, or is back.
//
// Preconditions  the agent's row and its ledger are as they were read
// Items          1 agent row, its ledger's version. A matcher that planned before holds the old version: its transaction
//                is refused, and it reads the agent again
// Outcomes       committed | conflict: read the agent again
// Retry safety   a repeat after a lost answer is a conflict, and the caller finds the row as it wanted it
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Agent } from '../../model/agent.ts';
import { encodeAgent } from '../codec/agent-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { ledgerKeyOf } from '../keys.ts';
import type { AgentWithLedger } from '../port.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

/** `lostAt` undefined: it is back. */
export async function setAgentLost(
  connection: Connection,
  { agent, ledger }: AgentWithLedger,
  lostAt: number | undefined,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const { lostAt: _before, ...rest } = agent;
  const next: Agent = { ...rest, ...(lostAt !== undefined && { lostAt }) };
  const command = () =>
    new TransactWriteCommand({
      TransactItems: [
        {
          Put: {
            TableName: connection.state,
            Item: encodeAgent(next),
            ConditionExpression: '#j = :read',
            ExpressionAttributeNames: { '#j': 'j' },
            ExpressionAttributeValues: { ':read': encodeAgent(agent).j },
          },
        },
        {
          Update: {
            TableName: connection.state,
            Key: ledgerKeyOf(agent.agentId),
            UpdateExpression: 'SET #v = :next',
            ConditionExpression: '#v = :read',
            ExpressionAttributeNames: { '#v': 'v' },
            ExpressionAttributeValues: { ':read': ledger.version, ':next': ledger.version + 1 },
          },
        },
      ],
    });
  try {
    await whileBusy('setAgentLost', () => send(connection, 'setAgentLost', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons('setAgentLost', error).map(({ Code }) => Code);
    if (codes.includes('ConditionalCheckFailed')) return { kind: 'conflict' };
    throw storeError('setAgentLost', error);
  }
}
