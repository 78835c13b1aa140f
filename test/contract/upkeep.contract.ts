import { describe, expect, it } from 'vitest';
import { agentShards } from '../../shared/store/keys.ts';
import type { AgentWithLedger, SweepLease } from '../../shared/store/port.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeOffer, makeTask, noGrant, pendingRowOf, t0, unique } from './fixtures.ts';

/** What the sweeper keeps for itself, and the ledgers it looks over. */
export function upkeepContract(subject: () => StoreUnderTest): void {
  const registered = async (): Promise<AgentWithLedger> => {
    const store = subject().store();
    const agentId = unique('agent');
    await store.registerAgent(makeOffer({ agentId, pool: unique('pool') }), 's1', t0);
    return (await store.getAgent(agentId)) as AgentWithLedger;
  };

  describe('the lease of a sweep', () => {
    it('is replaced and given back only by who has it', async () => {
      const store = subject().store();
      const lease: SweepLease = { id: unique('sweep'), round: 1, shards: [0, 3], until: t0 };
      const next = { ...lease, round: 2, until: t0 + 1 };
      expect(await store.getSweepLease()).toBeUndefined();
      expect(await store.putSweepLease(lease, undefined)).toEqual({ kind: 'committed' });
      expect(await store.putSweepLease(lease, undefined)).toEqual({ kind: 'conflict' });
      expect(await store.getSweepLease()).toEqual(lease);
      expect(await store.putSweepLease(next, { ...lease, until: t0 + 7 })).toEqual({ kind: 'conflict' });
      expect(await store.putSweepLease(next, lease)).toEqual({ kind: 'committed' });
      expect(await store.putSweepLease(undefined, lease)).toEqual({ kind: 'conflict' });
      expect(await store.putSweepLease(undefined, next)).toEqual({ kind: 'committed' });
      expect(await store.getSweepLease()).toBeUndefined();
    });
  });

  describe('listAgentShard', () => {
    it('has every agent in exactly one shard, with its ledger', async () => {
      const one = await registered();
      const shards = await Promise.all(
        Array.from({ length: agentShards }, (_, shard) => subject().store().listAgentShard(shard)),
      );
      const mine = ({ agent }: AgentWithLedger) => agent.agentId === one.agent.agentId;
      expect(shards.flat().filter(mine)).toEqual([one]);
    });
  });

  describe('healLedger', () => {
    it('writes the ledger, one version on', async () => {
      const read = await registered();
      const { agentId } = read.agent;
      const healed = { ...read.ledger, freeCpuMilli: 7 };
      expect(await subject().store().healLedger(read, healed)).toEqual({ kind: 'committed' });
      expect((await subject().store().getAgent(agentId))?.ledger).toEqual({
        ...healed,
        version: read.ledger.version + 1,
      });
    });

    it('writes nothing once a task was assigned, or the agent has changed', async () => {
      const store = subject().store();
      const read = await registered();
      const { agentId, pool } = read.agent;
      const task = makeTask({ pool });
      await store.insertTasks([task]);
      const after = { ...read.ledger, version: read.ledger.version + 1, freeCpuMilli: 1 };
      const [assigned] = await store.assign([
        {
          agentId,
          ledgerVersion: read.ledger.version,
          after,
          tasks: [{ row: pendingRowOf(task), grant: noGrant }],
          now: t0,
          deadlineAt: t0 + 1,
        },
      ]);
      expect(assigned).toEqual({ kind: 'committed' });
      expect(await store.healLedger(read, read.ledger)).toEqual({ kind: 'conflict' });
      const now = (await store.getAgent(agentId)) as AgentWithLedger;
      await store.registerAgent(makeOffer({ agentId, pool, host: 'another' }), 's2', t0 + 1);
      expect(await store.healLedger(now, read.ledger)).toEqual({ kind: 'conflict' });
      expect((await store.getAgent(agentId))?.ledger.freeCpuMilli).toBe(1);
    });
  });

  describe('a suspicion', () => {
    it('is remembered by agent', async () => {
      const agentId = unique('agent');
      const store = subject().store();
      expect(await store.getSuspicion(agentId)).toBeUndefined();
      await store.putSuspicion(agentId, { live: ['3.abc'], since: t0 });
      expect(await store.getSuspicion(agentId)).toEqual({ live: ['3.abc'], since: t0 });
    });
  });
}
