// Atomic write: an agent and its ledger come to exist, or the agent's offer changes and the ledger follows.
//
// Preconditions  first time: neither row exists; later: the agent's row is as it was read and, if the capacity changed,
//                the ledger is at the version it was read at; the agent has no other owner than who registers
// Items          1 agent row; its ledger row when it is new or the capacity changed
// Outcomes       registered | updated | foreign (it has another owner) | stale (an older process said so before the
//                present one) | superseded (a process that another one has followed: two machines have this id). The
//                last three write nothing; conflicts are read again and repeated here
// Retry safety   a repeat finds the offer as it wants it and writes nothing
//
// A new session takes over from the one before; the queue's clock says which is newer, since agents' clocks may be wrong
// and queues reorder. A session that was followed never comes back by itself, so one that does is a second machine.
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
import { agentItem } from './agent-item.ts';
import { cancellationReasons } from './while-busy.ts';

/** Sessions before the present one by which a second machine of the same id is known. */
const rememberedSessions = 8;

export interface Registration {
  readonly offer: Offer;
  readonly sessionId: string;
  /** When the intake queue took the registration, epoch ms; the agent's own clock is not asked. */
  readonly sentAt: number;
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
    const refusal = stored && refusalOf(stored.agent, registration);
    if (refusal) return { kind: refusal };
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

function refusalOf(
  { sessionId, sessionAt = 0, pastSessions = [] }: Agent,
  registration: Registration,
): 'stale' | 'superseded' | undefined {
  if (registration.sessionId === sessionId) return undefined;
  if (pastSessions.includes(registration.sessionId)) return 'superseded';
  return registration.sentAt < sessionAt ? 'stale' : undefined;
}

function busy(agentId: string): Error {
  const error = new Error(`agent ${agentId} changed at every one of ${maxTries} tries`);
  error.name = 'TransactionConflict';
  return error;
}

function insertItems(
  connection: Connection,
  { offer, sessionId, sentAt, principal }: Registration,
): TransactItem[] {
  const agent: Agent = {
    ...offer,
    mode: 'NONE',
    registeredAt: sentAt,
    sessionId,
    sessionAt: sentAt,
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
  { offer, sessionId, sentAt, principal = agent.principal }: Registration,
): TransactItem[] {
  const followed = [agent.sessionId, ...(agent.pastSessions ?? [])].slice(0, rememberedSessions);
  const session =
    sessionId === agent.sessionId ? {} : { sessionId, sessionAt: sentAt, pastSessions: followed };
  const bound = principal === undefined ? {} : { principal };
  const next: Agent = { ...agent, ...offer, ...session, ...bound };
  if (canonicalJson(next) === canonicalJson(agent)) return [];
  const items: TransactItem[] = [agentItem(connection, agent, next)];
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
