// Atomic write: tasks that ended give their resources back to one agent's ledger.
//
// Preconditions  every task is in the ledger's `live`
// Items          1 ledger row
// Outcomes       the ids released by this call; a task that isn't live any more is skipped
// Retry safety   taking the id out of `live` is the condition and the effect, so a repeat releases nothing
//
// The first try is arithmetic on the row as it stands, which needs no read and lets an assignment slip in between. If
// its condition fails, the row that came back says what is left to release, and that is written under its version.
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { release } from '../../domain/placement/ledger.ts';
import type { Ledger } from '../../model/agent.ts';
import { liveId } from '../../model/job-key.ts';
import { decodeLedger } from '../codec/agent-row.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { backOff, chunks, maxTries } from '../flow.ts';
import { ledgerKeyOf } from '../keys.ts';
import type { Release } from '../port.ts';
import { putLedger } from './put-ledger.ts';
import { whileBusy } from './while-busy.ts';

/** A condition takes 300 operators; an agent rarely ends more at once. */
const tasksPerUpdate = 50;

export async function releaseResources(
  connection: Connection,
  agentId: string,
  releases: readonly Release[],
): Promise<{ readonly released: readonly string[] }> {
  const distinct = [...new Map(releases.map((one) => [liveId(one.taskId), one])).values()];
  const released: string[] = [];
  for (const part of chunks(distinct, tasksPerUpdate))
    released.push(...(await releasePart(connection, agentId, part)));
  return { released };
}

async function releasePart(
  connection: Connection,
  agentId: string,
  releases: readonly Release[],
): Promise<string[]> {
  try {
    const command = addBack(connection, agentId, releases);
    await whileBusy('release', () => send(connection, 'release', 'write', new UpdateCommand(command)));
    return releases.map(({ taskId }) => taskId);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw storeError('release', error);
    return error.Item === undefined ? [] : rewrite(connection, decodeLedger(plainRow(error.Item)), releases);
  }
}

/** The ledger as it is, less what these tasks held; again from the newer row while others get in first. */
async function rewrite(
  connection: Connection,
  stored: Ledger,
  releases: readonly Release[],
): Promise<string[]> {
  let ledger: Ledger | undefined = stored;
  for (let attempt = 1; ledger !== undefined; attempt++) {
    const held = new Set(ledger.live);
    const left = releases.filter(({ taskId }) => held.has(liveId(taskId)));
    if (left.length === 0) return [];
    const after = left.reduce<Ledger>(
      (sum, { taskId, resources, grant }) => release(sum, resources, grant, liveId(taskId)),
      ledger,
    );
    const outcome = await putLedger(connection, { ...after, version: ledger.version + 1 }, ledger.version);
    if (outcome.kind === 'committed') return left.map(({ taskId }) => taskId);
    if (attempt >= maxTries) throw storeError('release', busyLedger(ledger.agentId));
    ledger = outcome.current;
    await backOff(attempt);
  }
  return [];
}

function busyLedger(agentId: string): Error {
  const error = new Error(`the ledger of agent ${agentId} changed at every one of ${maxTries} tries`);
  error.name = 'TransactionConflict';
  return error;
}

/** The parts of one arithmetic update; the values of several tasks are summed first. */
function addBack(connection: Connection, agentId: string, releases: readonly Release[]) {
  const cards = new Map<number, number>();
  for (const { grant } of releases) {
    for (const [device, milli] of grant.gpus) cards.set(device, (cards.get(device) ?? 0) + milli);
  }
  const ports = new Set(releases.flatMap(({ grant }) => Object.values(grant.ports)));
  const ids = releases.map(({ taskId }) => liveId(taskId));
  const sum = (pick: (release: Release) => number): number =>
    releases.reduce((total, one) => total + pick(one), 0);
  const isLive = ids.map((_id, index) => `contains(#l, :id${index})`);
  const hasCards = [...cards.keys()].map((device) => `attribute_exists(#g[${device}])`);
  const addCards = [...cards.keys()]
    .map((device) => `, #g[${device}] = #g[${device}] + :g${device}`)
    .join('');
  const removePorts = ports.size > 0 ? ', #p :ports' : '';
  return {
    TableName: connection.state,
    Key: ledgerKeyOf(agentId),
    UpdateExpression:
      `SET #v = #v + :one, #c = #c + :cpu, #r = #r + :ram, #d = #d + :disk${addCards} ` +
      `DELETE #l :ids${removePorts}`,
    ConditionExpression: [...isLive, ...hasCards].join(' AND '),
    ExpressionAttributeNames: {
      '#v': 'v',
      '#c': 'c',
      '#r': 'r',
      '#d': 'd',
      '#l': 'l',
      ...(cards.size > 0 && { '#g': 'g' }),
      ...(ports.size > 0 && { '#p': 'p' }),
    },
    ExpressionAttributeValues: {
      ':one': 1,
      ':cpu': sum(({ resources }) => resources.cpuMilli),
      ':ram': sum(({ resources }) => resources.ramMb),
      ':disk': sum(({ resources }) => resources.diskMb),
      ':ids': new Set(ids),
      ...(ports.size > 0 && { ':ports': ports }),
      ...Object.fromEntries(ids.map((id, index) => [`:id${index}`, id])),
      ...Object.fromEntries([...cards].map(([device, milli]) => [`:g${device}`, milli])),
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
}
