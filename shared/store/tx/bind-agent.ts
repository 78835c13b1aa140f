// Atomic write: an agent id is handed to another identity, or to whoever registers it next.
//
// Preconditions  the agent's row is as it was read
// Items          1 agent row
// Outcomes       bound | unknown (no such agent); conflicts are read again and repeated here
// Retry safety   a repeat finds the owner as it wants it and writes nothing
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Agent } from '../../model/agent.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { backOff, maxTries } from '../flow.ts';
import { getAgent } from '../read/agents.ts';
import { agentItem } from './agent-item.ts';

export async function bindAgent(
  connection: Connection,
  agentId: string,
  principal: string | undefined,
): Promise<{ readonly kind: 'bound' | 'unknown' }> {
  for (let attempt = 1; ; attempt++) {
    const stored = await getAgent(connection, agentId);
    if (!stored) return { kind: 'unknown' };
    if (stored.agent.principal === principal) return { kind: 'bound' };
    const { principal: _before, ...rest } = stored.agent;
    const next: Agent = { ...rest, ...(principal !== undefined && { principal }) };
    try {
      await send(
        connection,
        'bindAgent',
        'write',
        new PutCommand(agentItem(connection, stored.agent, next).Put),
      );
      return { kind: 'bound' };
    } catch (error) {
      const changed = error instanceof ConditionalCheckFailedException;
      if (!changed || attempt >= maxTries) throw storeError('bindAgent', error);
      await backOff(attempt);
    }
  }
}
