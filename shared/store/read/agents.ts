// Reads of agents with their ledgers, which lie side by side in 16 partitions.
import type { Agent, Ledger } from '../../model/agent.ts';
import { decodeAgent, decodeLedger } from '../codec/agent-row.ts';
import type { Row } from '../codec/row.ts';
import type { Connection } from '../connection.ts';
import {
  agentKeyOf,
  agentPartition,
  agentPrefix,
  agentShards,
  drainingPartition,
  ledgerKeyOf,
  ledgerPrefix,
} from '../keys.ts';
import type { AgentWithLedger, Page, SetAside } from '../port.ts';
import { dueIndex } from '../tables.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { batchGet, queryAll, queryPage } from './query.ts';
import { decodeAll } from './readable.ts';

export async function getAgent(
  connection: Connection,
  agentId: string,
): Promise<AgentWithLedger | undefined> {
  const rows = await batchGet(connection, 'getAgent', connection.state, [
    agentKeyOf(agentId),
    ledgerKeyOf(agentId),
  ]);
  return joined(rows, undefined)[0];
}

/** Pairs each agent with its ledger; they are written together, so one without the other is only a page cut. */
function joined(rows: readonly Row[], pool: string | undefined, aside?: SetAside): AgentWithLedger[] {
  const isLedger = (row: Row): boolean => (row.sk as string).startsWith(ledgerPrefix);
  const ledgers = new Map<string, Ledger>(
    decodeAll(rows.filter(isLedger), decodeLedger, aside).map((ledger) => [ledger.agentId, ledger]),
  );
  const wanted = rows.filter((row) => !isLedger(row) && (pool === undefined || row.po === pool));
  const agents: Agent[] = decodeAll(wanted, decodeAgent, aside);
  return agents.flatMap((agent) => {
    const ledger = ledgers.get(agent.agentId);
    return ledger ? [{ agent, ledger }] : [];
  });
}

/** Every agent of a pool. Agents of all pools are read: a fleet is one pool, or few. */
export async function loadPool(
  connection: Connection,
  pool: string,
  aside?: SetAside,
): Promise<AgentWithLedger[]> {
  const shards = Array.from({ length: agentShards }, (_, shard) => agentPartition(shard));
  const rows = await Promise.all(
    shards.map((pk) =>
      queryAll(connection, 'loadPool', {
        TableName: connection.state,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
        ConsistentRead: true,
      }),
    ),
  );
  return rows.flatMap((part) => joined(part, pool, aside));
}

/** Only their keys are sent, however much else there is to them. */
export async function listAgentShard(connection: Connection, shard: number): Promise<string[]> {
  const rows = await queryAll(connection, 'listAgentShard', {
    TableName: connection.state,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :agents)',
    ExpressionAttributeValues: { ':pk': agentPartition(shard), ':agents': agentPrefix },
    ProjectionExpression: 'sk',
  });
  return rows.map(({ sk }) => (sk as string).slice(agentPrefix.length));
}

/** Agents with the mode DRAINING, earliest deadline first; the rows decide, the index only says where to look. */
export async function listDraining(connection: Connection, aside?: SetAside): Promise<AgentWithLedger[]> {
  const entries = await queryAll(connection, 'listDraining', {
    TableName: connection.state,
    IndexName: dueIndex.name,
    KeyConditionExpression: '#shard = :shard',
    ExpressionAttributeNames: { '#shard': dueIndex.partitionKey },
    ExpressionAttributeValues: { ':shard': drainingPartition },
  });
  const ids = entries.map(({ sk }) => (sk as string).slice(agentPrefix.length));
  const keys = ids.flatMap((agentId) => [agentKeyOf(agentId), ledgerKeyOf(agentId)]);
  const rows = await batchGet(connection, 'listDraining', connection.state, keys);
  const found = new Map(joined(rows, undefined, aside).map((entry) => [entry.agent.agentId, entry]));
  return ids.flatMap((agentId) => {
    const entry = found.get(agentId);
    return entry?.agent.mode === 'DRAINING' ? [entry] : [];
  });
}

interface AgentsFilter {
  readonly pool?: string;
}

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

/** Shard by shard, by id within one. */
export async function listAgents(
  connection: Connection,
  filter: AgentsFilter,
  page: PageRequest,
  aside?: SetAside,
): Promise<Page<AgentWithLedger>> {
  const { items: found, ...more } = await agentRows(connection, 'listAgents', filter, page);
  const keys = found.map((row) => ledgerKeyOf((row.sk as string).slice(agentPrefix.length)));
  const ledgers = await batchGet(connection, 'listAgents', connection.state, keys);
  return { items: joined([...found, ...ledgers], undefined, aside), ...more };
}

/** As listAgents, at half the reads and less than half the work. */
export async function listRegistered(
  connection: Connection,
  page: PageRequest,
  aside?: SetAside,
): Promise<Page<Agent>> {
  const { items, ...more } = await agentRows(connection, 'listRegistered', {}, page);
  return { items: decodeAll(items, decodeAgent, aside), ...more };
}

async function agentRows(
  connection: Connection,
  operation: string,
  filter: AgentsFilter,
  page: PageRequest,
): Promise<Page<Row>> {
  const [startShard, startSk] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  const found: Row[] = [];
  const firstShard = Number(startShard ?? 0);
  for (let shard = firstShard; shard < agentShards && found.length < page.limit; shard++) {
    const after = shard === firstShard ? startSk : undefined;
    const limit = page.limit - found.length;
    found.push(...(await agentsOfShard(connection, operation, { shard, after, limit, pool: filter.pool })));
  }
  const last = found.at(-1);
  if (last === undefined || found.length < page.limit) return { items: found };
  const shard = (last.pk as string).slice(agentPartition(0).length - 1);
  return { items: found, next: encodeCursor([shard, last.sk as string]) };
}

interface ShardQuery {
  readonly shard: number;
  readonly after: string | undefined;
  readonly limit: number;
  readonly pool: string | undefined;
}

/** Up to `limit` agent rows; fewer only at the end of the shard. */
async function agentsOfShard(connection: Connection, operation: string, query: ShardQuery): Promise<Row[]> {
  const pk = agentPartition(query.shard);
  const rows: Row[] = [];
  let start: Record<string, unknown> | undefined =
    query.after === undefined ? undefined : { pk, sk: query.after };
  do {
    const page = await queryPage(connection, operation, {
      TableName: connection.state,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :agents)',
      ExpressionAttributeValues: {
        ':pk': pk,
        ':agents': agentPrefix,
        ...(query.pool && { ':pool': query.pool }),
      },
      ...(query.pool && { FilterExpression: '#pool = :pool', ExpressionAttributeNames: { '#pool': 'po' } }),
      // A filter is applied after the limit, so ask for whole pages and cut.
      ...(query.pool === undefined && { Limit: query.limit - rows.length }),
      ...(start && { ExclusiveStartKey: start }),
    });
    rows.push(...page.rows);
    start = page.next;
  } while (start !== undefined && rows.length < query.limit);
  return rows.slice(0, query.limit);
}
