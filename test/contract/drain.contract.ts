import { describe, expect, it } from 'vitest';
import type { Drain } from '../../shared/model/agent.ts';
import { assignment, newPlacements, readAgent, releaseOf } from './assign.contract.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeOffer, t0 } from './fixtures.ts';

const drain: Drain = {
  requestedAt: t0,
  deadlineAt: t0 + 60_000,
  percentage: 95,
  settledSecs: 30,
  reason: 'new kernel',
  requestedBy: 'someone',
};

/** Agents that are being emptied: mode, drain record, the list of them. */
export function drainContract(subject: () => StoreUnderTest): void {
  const registered = async () => {
    const offer = makeOffer();
    await subject().store().registerAgent(offer, 'session-1', t0);
    return offer;
  };
  const drainingIds = async () => {
    const draining = await subject().store().listDraining();
    return draining.map(({ agent }) => agent.agentId);
  };

  describe('setAgentMode', () => {
    it('writes mode and drain, lists the agent while it drains, and survives a registration', async () => {
      const store = subject().store();
      const offer = await registered();
      const before = await readAgent(store, offer.agentId);
      expect(await store.setAgentMode(before, { mode: 'DRAINING', drain })).toEqual({ kind: 'committed' });
      const draining = await readAgent(store, offer.agentId);
      expect(draining.agent).toEqual({ ...before.agent, mode: 'DRAINING', drain });
      expect(draining.ledger).toEqual({ ...before.ledger, version: before.ledger.version + 1 });
      expect(await drainingIds()).toContain(offer.agentId);

      await store.registerAgent({ ...offer, version: '0.2.0' }, 'session-2', t0 + 5);
      const again = await readAgent(store, offer.agentId);
      expect(again.agent).toMatchObject({
        mode: 'DRAINING',
        drain,
        version: '0.2.0',
        sessionId: 'session-2',
      });
      expect(await drainingIds()).toContain(offer.agentId);

      await store.setAgentMode(again, { mode: 'NONE' });
      const used = await readAgent(store, offer.agentId);
      expect(used.agent).toMatchObject({ mode: 'NONE', version: '0.2.0', sessionId: 'session-2' });
      expect(used.agent).not.toHaveProperty('drain');
      expect(await drainingIds()).not.toContain(offer.agentId);
    });

    it('refuses a write on what has changed since, and changes nothing', async () => {
      const store = subject().store();
      const { agentId } = await registered();
      const read = await readAgent(store, agentId);
      await store.setAgentMode(read, { mode: 'DRAINING', drain });
      const after = await readAgent(store, agentId);
      expect(await store.setAgentMode(read, { mode: 'NONE' })).toEqual({ kind: 'conflict' });
      expect(await readAgent(store, agentId)).toEqual(after);
    });

    it('refuses a placement that was planned before it', async () => {
      const store = subject().store();
      const { agentId } = await registered();
      const read = await readAgent(store, agentId);
      const planned = assignment(read, await newPlacements(store, 1));
      await store.setAgentMode(read, { mode: 'DRAINING', drain });
      expect(await store.assign([planned])).toEqual([{ kind: 'ledgerConflict' }]);
    });

    it('calls an agent empty only when no task holds anything of it', async () => {
      const store = subject().store();
      const { agentId } = await registered();
      const placements = await newPlacements(store, 1);
      await store.assign([assignment(await readAgent(store, agentId), placements)]);
      await store.setAgentMode(await readAgent(store, agentId), { mode: 'DRAINING', drain });
      const busy = await readAgent(store, agentId);
      expect(await store.setAgentMode(busy, { mode: 'DRAINED', drain })).toEqual({ kind: 'conflict' });
      expect(await readAgent(store, agentId)).toEqual(busy);

      await store.release(agentId, placements.map(releaseOf));
      const idle = await readAgent(store, agentId);
      expect(await store.setAgentMode(idle, { mode: 'DRAINED', drain })).toEqual({ kind: 'committed' });
      expect((await readAgent(store, agentId)).agent).toMatchObject({ mode: 'DRAINED', drain });
      expect(await drainingIds()).not.toContain(agentId);
    });
  });

  describe('listDraining', () => {
    it('gives the agents with their ledgers, the earliest deadline first', async () => {
      const store = subject().store();
      const late = await registered();
      const soon = await registered();
      await store.setAgentMode(await readAgent(store, late.agentId), {
        mode: 'DRAINING',
        drain: { ...drain, deadlineAt: t0 + 900 },
      });
      await store.setAgentMode(await readAgent(store, soon.agentId), {
        mode: 'DRAINING',
        drain: { ...drain, deadlineAt: t0 + 100 },
      });
      const own = (await store.listDraining()).filter(({ agent }) =>
        [late.agentId, soon.agentId].includes(agent.agentId),
      );
      expect(own).toEqual([await readAgent(store, soon.agentId), await readAgent(store, late.agentId)]);
    });
  });
}
