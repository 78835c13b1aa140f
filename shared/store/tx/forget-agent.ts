// Atomic write: an agent that was lost for good is forgotten, with its ledger.
//
// Preconditions  agent and ledger are as they were read: still lost, not registered again; no task holds anything of the
//                ledger, so none is on the agent
// Items          1 agent row, 1 ledger row, both deleted. The stream's record of the first makes the event and takes
//                away the queue
// Outcomes       committed | conflict: it is lost no more, or holds something, or is gone already; read it again
// Retry safety   a repeat after a lost answer is a conflict, and the caller finds no such agent
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { encodeAgent } from '../codec/agent-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { agentKeyOf, ledgerKeyOf } from '../keys.ts';
import type { AgentWithLedger } from '../port.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

export async function forgetAgent(
  connection: Connection,
  { agent, ledger }: AgentWithLedger,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  if (agent.lostAt === undefined) return { kind: 'conflict' };
  const row = {
    TableName: connection.state,
    Key: agentKeyOf(agent.agentId),
    ConditionExpression: '#j = :read',
    ExpressionAttributeNames: { '#j': 'j' },
    ExpressionAttributeValues: { ':read': encodeAgent(agent).j },
  };
  const books = {
    TableName: connection.state,
    Key: ledgerKeyOf(agent.agentId),
    ConditionExpression: '#v = :read AND attribute_not_exists(#l)',
    ExpressionAttributeNames: { '#v': 'v', '#l': 'l' },
    ExpressionAttributeValues: { ':read': ledger.version },
  };
  const command = () => new TransactWriteCommand({ TransactItems: [{ Delete: row }, { Delete: books }] });
  try {
    await whileBusy('forgetAgent', () => send(connection, 'forgetAgent', 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons('forgetAgent', error).map(({ Code }) => Code);
    if (codes.includes('ConditionalCheckFailed')) return { kind: 'conflict' };
    throw storeError('forgetAgent', error);
  }
}
