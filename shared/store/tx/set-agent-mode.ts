// Atomic write: an agent's mode changes (a drain begins, ends, or is called off).
//
// Preconditions  the agent's row and its ledger are as they were read; for DRAINED no task holds anything of the ledger
// Items          1 agent row, its ledger's version. A matcher that planned with the old mode holds the old version: its
//                transaction is refused, and it reads the agent again
// Outcomes       committed | conflict: read the agent again
// Retry safety   a repeat after a lost answer is a conflict, and the caller finds the mode it wanted
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Agent } from '../../model/agent.ts';
import { encodeAgent } from '../codec/agent-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { ledgerKeyOf } from '../keys.ts';
import type { AgentWithLedger } from '../port.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

export async function setAgentMode(
  connection: Connection,
  { agent, ledger }: AgentWithLedger,
  { mode, drain }: Pick<Agent, 'mode' | 'drain'>,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const { drain: _before, ...rest } = agent;
  const next: Agent = { ...rest, mode, ...(drain && { drain }) };
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
            ConditionExpression: `#v = :read${mode === 'DRAINED' ? ' AND attribute_not_exists(#l)' : ''}`,
            ExpressionAttributeNames: { '#v': 'v', ...(mode === 'DRAINED' && { '#l': 'l' }) },
            ExpressionAttributeValues: { ':read': ledger.version, ':next': ledger.version + 1 },
          },
        },
      ],
    });
  try {
    await whileBusy('setAgentMode', () => send(connection, 'setAgentMode', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons('setAgentMode', error).map(({ Code }) => Code);
    if (codes.includes('ConditionalCheckFailed')) return { kind: 'conflict' };
    throw storeError('setAgentMode', error);
  }
}
