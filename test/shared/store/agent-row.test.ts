// The ledger codec: nothing is lost, a busy agent's row stays under one write unit.
import { describe, expect, it } from 'vitest';
import type { Ledger } from '../../../shared/model/agent.ts';
import { liveId } from '../../../shared/model/job-key.ts';
import { decodeAgent, decodeLedger, encodeLedger } from '../../../shared/store/codec/agent-row.ts';
import { makeTask } from '../../contract/fixtures.ts';
import { itemBytes } from './item-size.ts';

const tasks = Array.from({ length: 20 }, (_, instance) =>
  makeTask({ role: 'a-team-with-a-long-name', name: 'a-service-with-a-long-name', instance: instance * 500 }),
);
const busy: Ledger = {
  agentId: 'ip-10-20-30-40-eu-central-1a',
  version: 123_456,
  freeCpuMilli: -1_500,
  freeRamMb: 786_432,
  freeDiskMb: 2_000_000,
  gpus: Array.from({ length: 8 }, () => ({ model: 'V100M32', freeMilli: 440 })),
  usedPorts: tasks.map((_task, index) => 31_000 + index),
  live: tasks.map(({ taskId }) => liveId(taskId)).sort(),
};

describe('the ledger codec', () => {
  it.each([
    ['a busy ledger', busy],
    ['an empty one', { ...busy, gpus: [], usedPorts: [], live: [] }],
    [
      'cards of several models',
      { ...busy, gpus: ['T4', 'V100', 'T4'].map((model, index) => ({ model, freeMilli: index * 400 })) },
    ],
  ])('gives back %s', (_name, ledger) => {
    expect(decodeLedger(encodeLedger(ledger))).toEqual(ledger);
  });

  it('stores short ids whether given task ids or short ids', () => {
    const long = { ...busy, live: tasks.map(({ taskId }) => taskId) };
    expect(encodeLedger(long)).toEqual(encodeLedger(busy));
  });

  it('keeps the row of an agent with 20 tasks, 20 ports and 8 cards under 1 KB', () => {
    expect(itemBytes(encodeLedger(busy))).toBeLessThan(1024);
  });

  it('refuses rows that make no sense', () => {
    const row = encodeLedger(busy);
    expect(() => decodeLedger({ ...row, v: 'x' })).toThrow(/stored ledger .* cannot be read/);
    expect(() => decodeLedger({ ...row, m: ['T4'] })).toThrow(/cannot be read/);
    expect(() => decodeLedger({ ...row, g: 'T4' })).toThrow(/cannot be read/);
    expect(() => decodeLedger({ ...row, g: ['1000'] })).toThrow(/cannot be read/);
    expect(() => decodeAgent({ pk: 'AGENTS#1', sk: 'A#other', j: '{"agentId":"a"}' })).toThrow(
      /cannot be read/,
    );
    expect(() => decodeAgent({ pk: 'AGENTS#1', sk: 'A#a', j: 'nonsense' })).toThrow(/cannot be read/);
  });
});
