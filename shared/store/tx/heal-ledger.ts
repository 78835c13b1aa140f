// Atomic write: a ledger that says more than its tasks hold is set right.
//
// Preconditions  agent and ledger are as they were read, before the tasks were: whatever was assigned or released since
//                has moved the ledger's version on
// Items          1 agent row (unchanged, which makes no stream record), 1 ledger row
// Outcomes       committed | conflict: something happened meanwhile, a later audit looks again
// Retry safety   a repeat after a lost answer is a conflict
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Ledger } from '../../model/agent.ts';
import { encodeLedger } from '../codec/agent-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import type { AgentWithLedger } from '../port.ts';
import { agentItem } from './agent-item.ts';
import { cancellationReasons } from './while-busy.ts';

export async function healLedger(
  connection: Connection,
  read: AgentWithLedger,
  ledger: Ledger,
): Promise<{ readonly kind: 'committed' | 'conflict' }> {
  const put = {
    TableName: connection.state,
    Item: encodeLedger({ ...ledger, version: read.ledger.version + 1 }),
    ConditionExpression: '#v = :read',
    ExpressionAttributeNames: { '#v': 'v' },
    ExpressionAttributeValues: { ':read': read.ledger.version },
  };
  const TransactItems = [agentItem(connection, read.agent, read.agent), { Put: put }];
  try {
    await send(connection, 'healLedger', 'write', new TransactWriteCommand({ TransactItems }));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons('healLedger', error).map(({ Code }) => Code);
    if (codes.some((code) => code === 'ConditionalCheckFailed' || code === 'TransactionConflict'))
      return { kind: 'conflict' };
    throw storeError('healLedger', error);
  }
}
