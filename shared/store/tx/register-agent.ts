// Atomic write: an agent and its ledger come to exist, or the agent's offer changes and the ledger follows.
//
// Preconditions  first time: neither row exists; later: the agent's row is as it was read and, if the capacity changed,
//                the ledger is at the version it was read at; the agent has no other owner than who registers
// Items          1 agent row; its ledger row when it is new or the capacity changed
// Outcomes       registered | updated | foreign (nothing written); conflicts are read again and repeated here
// Retry safety   a repeat finds the offer as it wants it and writes nothing
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { ledgerFromCapacity } from '../../domain/placement/ledger.ts';
import { canonicalJson } from '../../lib/hash.ts';
import type { Agent, Offer } from '../../model/agent.ts';
import { encodeAgent, encodeLedger } from '../codec/agent-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { backOff, maxTries } from '../flow.ts';
import type { AgentWithLedger, Store } from '../port.ts';
import { getAgent } from '../read/agents.ts';
import { rebaseLedger } from '../rebase-ledger.ts';
import { cancellationReasons } from './while-busy.ts';

export interface Registration {
  readonly offer: Offer;
  readonly sessionId: string;
  /** Epoch ms. */
  readonly now: number;
  /** Unique id of the identity that registers. */
  readonly principal?: string | undefined;
}
type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

export async function registerAgent(
  connection: Connection,
  registration: Registration,
): ReturnType<Store['registerAgent']> {
  for (let attempt = 1; ; attempt++) {
    const stored = await getAgent(connection, registration.offer.agentId);
    const { principal = stored?.agent.principal } = registration;
    const owner = stored?.agent.principal ?? principal;
    if (owner !== undefined && owner !== principal) return { kind: 'foreign', owner };
    const items = stored
      ? updateItems(connection, stored, registration)
      : insertItems(connection, registration);
    try {
      if (items.length > 0) {
        await send(connection, 'registerAgent', 'write', new TransactWriteCommand({ TransactItems: items }));
      }
      return { kind: stored ? 'updated' : 'registered' };
    } catch (error) {
      cancellationReasons('registerAgent', error);
      if (attempt >= maxTries) throw storeError('registerAgent', busy(registration.offer.agentId));
      await backOff(attempt);
    }
  }
}

function busy(agentId: string): Error {
  const error = new Error(`agent ${agentId} changed at every one of ${maxTries} tries`);
  error.name = 'TransactionConflict';
  return error;
}

function insertItems(
  connection: Connection,
  { offer, sessionId, now, principal }: Registration,
): TransactItem[] {
  const agent: Agent = {
    ...offer,
    mode: 'NONE',
    registeredAt: now,
    sessionId,
    ...(principal !== undefined && { principal }),
  };
  const absent = { TableName: connection.state, ConditionExpression: 'attribute_not_exists(pk)' };
  return [
    { Put: { ...absent, Item: encodeAgent(agent) } },
    { Put: { ...absent, Item: encodeLedger(ledgerFromCapacity(offer.agentId, offer.capacity)) } },
  ];
}

/** Nothing if the agent says what it said before. */
function updateItems(
  connection: Connection,
  { agent, ledger }: AgentWithLedger,
  { offer, sessionId, principal = agent.principal }: Registration,
): TransactItem[] {
  const { mode, registeredAt, drain } = agent;
  const bound = principal === undefined ? {} : { principal };
  const next: Agent = { ...offer, mode, registeredAt, sessionId, ...(drain && { drain }), ...bound };
  if (canonicalJson(next) === canonicalJson(agent)) return [];
  const items: TransactItem[] = [
    {
      Put: {
        TableName: connection.state,
        Item: encodeAgent(next),
        ConditionExpression: '#j = :read',
        ExpressionAttributeNames: { '#j': 'j' },
        ExpressionAttributeValues: { ':read': encodeAgent(agent).j },
      },
    },
  ];
  if (canonicalJson(offer.capacity) === canonicalJson(agent.capacity)) return items;
  items.push({
    Put: {
      TableName: connection.state,
      Item: encodeLedger(rebaseLedger(ledger, agent.capacity, offer.capacity)),
      ConditionExpression: '#v = :version',
      ExpressionAttributeNames: { '#v': 'v' },
      ExpressionAttributeValues: { ':version': ledger.version },
    },
  });
  return items;
}
