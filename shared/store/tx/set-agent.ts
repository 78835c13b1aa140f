// Atomic write: what an agent may be given changes. Its mode does (a drain begins, ends, or is called off), or it is
// declared lost, or is back.
//
// Preconditions  the agent's row and its ledger are as they were read; for DRAINED no task holds anything of the ledger
// Items          1 agent row, its ledger's version. A matcher that planned before holds the old version: its transaction
//                is refused, and it reads the agent again
// Outcomes       committed | conflict: read the agent again
// Retry safety   a repeat after a lost answer is a conflict, and the caller finds the row as it wanted it
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { Agent } from '../../model/agent.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { type Condition, renderUpdate } from '../expression.ts';
import { ledgerKeyOf } from '../keys.ts';
import type { AgentWithLedger } from '../port.ts';
import { agentItem } from './agent-item.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

type Outcome = Promise<{ readonly kind: 'committed' | 'conflict' }>;

export function setAgentMode(
  connection: Connection,
  read: AgentWithLedger,
  { mode, drain }: Pick<Agent, 'mode' | 'drain'>,
): Outcome {
  const { drain: _before, ...rest } = read.agent;
  const next = { ...rest, mode, ...(drain && { drain }) };
  const isEmpty = { text: 'attribute_not_exists(#l)', names: { '#l': 'l' }, values: {} };
  return setAgent(connection, 'setAgentMode', read, next, mode === 'DRAINED' ? [isEmpty] : []);
}

/** `lostAt` undefined: it is back. */
export function setAgentLost(
  connection: Connection,
  read: AgentWithLedger,
  lostAt: number | undefined,
): Outcome {
  const { lostAt: _before, ...rest } = read.agent;
  const next = { ...rest, ...(lostAt !== undefined && { lostAt }) };
  return setAgent(connection, 'setAgentLost', read, next, []);
}

/** `conditions`: what else must hold of the ledger. */
async function setAgent(
  connection: Connection,
  operation: string,
  { agent, ledger }: AgentWithLedger,
  next: Agent,
  conditions: readonly Condition[],
): Outcome {
  const asRead = { text: '#v = :read', names: { '#v': 'v' }, values: { ':read': ledger.version } };
  const version = {
    TableName: connection.state,
    Key: ledgerKeyOf(agent.agentId),
    ...renderUpdate({ set: { v: ledger.version + 1 }, remove: [] }, [asRead, ...conditions]),
  };
  const TransactItems = [agentItem(connection, agent, next), { Update: version }];
  const command = () => new TransactWriteCommand({ TransactItems });
  try {
    await whileBusy(operation, () => send(connection, operation, 'write', command()));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons(operation, error).map(({ Code }) => Code);
    if (codes.includes('ConditionalCheckFailed')) return { kind: 'conflict' };
    throw storeError(operation, error);
  }
}
