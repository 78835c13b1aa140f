// An agent and its ledger as stored rows. The ledger is written at every assignment and release, so it is kept small:
// cards as a list of free shares beside their models, ports and live tasks as sets that one update can take from.
//
//   v version   c free cpu   r free ram   d free disk   g free share per card   m model per card (or the one of all)
//   p ports in use (number set)   l live ids (string set)
import { type Agent, agentModes, type Ledger } from '../../model/agent.ts';
import { liveId } from '../../model/job-key.ts';
import { agentKeyOf, agentPrefix, drainingDue, ledgerKeyOf, ledgerPrefix } from '../keys.ts';
import { decoder, jsonOf, numberOf, type Row, stringOf, unreadable } from './row.ts';

export type LedgerAttributes = Record<
  string,
  number | string | number[] | string[] | Set<number> | Set<string>
>;

/** Every attribute of a ledger but its key. Empty sets and lists are left out: DynamoDB has no empty set. */
export function ledgerAttributes(ledger: Ledger): LedgerAttributes {
  const { gpus, usedPorts, live } = ledger;
  const first = gpus[0]?.model;
  const uniform = gpus.every(({ model }) => model === first);
  return {
    v: ledger.version,
    c: ledger.freeCpuMilli,
    r: ledger.freeRamMb,
    d: ledger.freeDiskMb,
    ...(first !== undefined && {
      g: gpus.map(({ freeMilli }) => freeMilli),
      m: uniform ? first : gpus.map(({ model }) => model),
    }),
    ...(usedPorts.length > 0 && { p: new Set(usedPorts) }),
    ...(live.length > 0 && { l: new Set(live.map(liveId)) }),
  };
}

export function encodeLedger(ledger: Ledger): Row {
  return { ...ledgerKeyOf(ledger.agentId), ...ledgerAttributes(ledger) };
}

export const decodeLedger = decoder('ledger', (row): Ledger => {
  const sk = stringOf(row, 'sk', 'ledger');
  const free = (row.g ?? []) as readonly unknown[];
  const models = row.m;
  const gpus = free.map((freeMilli, index) => {
    if (typeof freeMilli !== 'number') throw unreadable('ledger', row);
    return { model: modelAt(models, index, row), freeMilli };
  });
  return {
    agentId: sk.slice(ledgerPrefix.length),
    version: numberOf(row, 'v', 'ledger'),
    freeCpuMilli: numberOf(row, 'c', 'ledger'),
    freeRamMb: numberOf(row, 'r', 'ledger'),
    freeDiskMb: numberOf(row, 'd', 'ledger'),
    gpus,
    usedPorts: row.p instanceof Set ? [...(row.p as Set<number>)].sort((a, b) => a - b) : [],
    live: row.l instanceof Set ? [...(row.l as Set<string>)].sort() : [],
  };
});

function modelAt(models: unknown, index: number, row: Row): string {
  const model: unknown = Array.isArray(models) ? models[index] : models;
  if (typeof model !== 'string') throw unreadable('ledger', row);
  return model;
}

/** The pool is its own attribute so that a reader can filter before parsing. While it drains it is in the due index. */
export function encodeAgent(agent: Agent): Row & { readonly j: string } {
  const due = agent.mode === 'DRAINING' ? drainingDue(agent.agentId, agent.drain?.deadlineAt ?? 0) : {};
  return { ...agentKeyOf(agent.agentId), po: agent.pool, j: JSON.stringify(agent), ...due };
}

/** Checked by hand for what a placement and an answer need: a pool of 10,000 agents is read at once. */
export const decodeAgent = decoder('agent', (row): Agent => {
  const agent = jsonOf(row, 'j', 'agent') as Agent;
  const { agentId, host, pool, mode, capacity, attributes } = agent;
  const isWhole =
    stringOf(row, 'sk', 'agent') === `${agentPrefix}${agentId}` &&
    typeof host === 'string' &&
    typeof pool === 'string' &&
    agentModes.includes(mode) &&
    Number.isFinite(capacity.cpuMilli) &&
    Object.values(attributes).every((values) => Array.isArray(values));
  if (!isWhole) throw unreadable('agent', row);
  return agent;
});
