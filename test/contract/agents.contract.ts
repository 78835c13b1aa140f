import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ledgerFromCapacity } from '../../shared/domain/placement/ledger.ts';
import type { Agent, Offer } from '../../shared/model/agent.ts';
import type { Roster } from '../../shared/model/roster.ts';
import {
  assignment,
  assignOne,
  newPlacements,
  type Placement,
  readAgent,
  releaseOf,
} from './assign.contract.ts';
import type { StoreUnderTest } from './engines.ts';
import { makeOffer, makeTask, t0, unique } from './fixtures.ts';

/** Agents: registration, listing, heartbeats, what runs on them. */
export function agentsContract(subject: () => StoreUnderTest): void {
  describe('registerAgent', () => {
    it('makes agent and ledger at first and keeps both when nothing is new', async () => {
      const store = subject().store();
      const offer = makeOffer();
      expect(await store.getAgent(offer.agentId)).toBeUndefined();
      expect(await store.registerAgent(offer, 'session-1', t0)).toEqual({ kind: 'registered' });
      const expected = {
        agent: { ...offer, mode: 'NONE', registeredAt: t0, sessionId: 'session-1', sessionAt: t0 },
        ledger: ledgerFromCapacity(offer.agentId, offer.capacity),
      };
      expect(await store.getAgent(offer.agentId)).toEqual(expected);
      expect(await store.registerAgent(offer, 'session-1', t0 + 5)).toEqual({ kind: 'updated' });
      expect(await store.getAgent(offer.agentId)).toEqual(expected);
    });

    it('updates the offer and keeps what tasks hold, also when the capacity changes', async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 'session-1', t0);
      const placements: Placement[] = await newPlacements(store, 2);
      await assignOne(store, assignment(await readAgent(store, offer.agentId), placements));
      const before = await readAgent(store, offer.agentId);

      const renamed = { ...offer, attributes: { rack: ['r2'] }, version: '0.2.0' };
      await store.registerAgent(renamed, 'session-2', t0 + 5);
      expect(await readAgent(store, offer.agentId)).toEqual({
        agent: {
          ...before.agent,
          ...renamed,
          sessionId: 'session-2',
          sessionAt: t0 + 5,
          pastSessions: ['session-1'],
        },
        ledger: before.ledger,
      });

      const smaller = {
        ...renamed,
        capacity: { ...offer.capacity, cpuMilli: 100, gpus: ['V100', 'V100', 'T4'] },
      };
      await store.registerAgent(smaller, 'session-2', t0 + 6);
      const after = await readAgent(store, offer.agentId);
      expect(after.ledger).toEqual({
        ...before.ledger,
        version: before.ledger.version + 1,
        // 100 - 2 x 100: less than nothing, so nothing more fits, and the tasks keep running.
        freeCpuMilli: -100,
        gpus: [...before.ledger.gpus, { model: 'T4', freeMilli: 1_000 }],
      });
    });

    it('keeps what a task holds of a card that is gone for a while', async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 'session-1', t0);
      const task = makeTask({
        name: unique('job'),
        resources: { ...makeTask().resources, gpus: 1, ports: [] },
      });
      const held: Placement = { task, grant: { gpus: [[1, 1_000]], ports: {} } };
      await store.insertTasks([task]);
      await assignOne(store, assignment(await readAgent(store, offer.agentId), [held]));

      const oneCard = { ...offer, capacity: { ...offer.capacity, gpus: ['V100'] } };
      await store.registerAgent(oneCard, 'session-2', t0 + 1);
      const without = await readAgent(store, offer.agentId);
      // Less than nothing, as with the other amounts: never given out, and not forgotten.
      expect(without.ledger.gpus.map(({ freeMilli }) => freeMilli)).toEqual([1_000, -1_000]);

      await store.registerAgent(offer, 'session-3', t0 + 2);
      const back = await readAgent(store, offer.agentId);
      expect(back.ledger.gpus.map(({ freeMilli }) => freeMilli)).toEqual([1_000, 0]);

      await store.registerAgent(oneCard, 'session-4', t0 + 3);
      await store.release(offer.agentId, [releaseOf(held)]);
      await store.registerAgent(offer, 'session-5', t0 + 4);
      const free = await readAgent(store, offer.agentId);
      expect(free.ledger).toEqual({
        ...ledgerFromCapacity(offer.agentId, offer.capacity),
        version: free.ledger.version,
      });
    });

    it('belongs to the identity that registered it first, and to no other until it is handed over', async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 's1', t0, 'AROA:one');
      const stranger = await store.registerAgent({ ...offer, host: 'evil' }, 's2', t0 + 1, 'AROA:two');
      expect(stranger).toEqual({ kind: 'foreign', owner: 'AROA:one' });
      const { agent } = await readAgent(store, offer.agentId);
      expect([agent.host, agent.sessionId, agent.principal]).toEqual([offer.host, 's1', 'AROA:one']);

      expect(await store.registerAgent(offer, 's3', t0 + 2, 'AROA:one')).toEqual({ kind: 'updated' });
      expect(await store.bindAgent(offer.agentId, undefined)).toEqual({ kind: 'bound' });
      expect((await readAgent(store, offer.agentId)).agent.principal).toBeUndefined();
      expect(await store.registerAgent(offer, 's4', t0 + 3, 'AROA:two')).toEqual({ kind: 'updated' });
      expect((await readAgent(store, offer.agentId)).agent.principal).toBe('AROA:two');
      expect(await store.bindAgent(offer.agentId, 'AROA:three')).toEqual({ kind: 'bound' });
      expect(await store.bindAgent(offer.agentId, 'AROA:three')).toEqual({ kind: 'bound' });
      expect((await store.registerAgent(offer, 's5', t0 + 4, 'AROA:two')).kind).toBe('foreign');
      expect(await store.bindAgent('nobody', 'AROA:three')).toEqual({ kind: 'unknown' });
    });

    it('gives an agent that nobody owns to one of those who ask together', async () => {
      const offer = makeOffer();
      const callers = ['AROA:a', 'AROA:b', 'AROA:c', 'AROA:d'];
      const outcomes = await Promise.all(
        callers.map((caller) => subject().store().registerAgent(offer, caller, t0, caller)),
      );
      const { principal } = (await readAgent(subject().store(), offer.agentId)).agent;
      expect(outcomes.map(({ kind }) => kind === 'foreign')).toEqual(
        callers.map((caller) => caller !== principal),
      );
    });

    it('keeps its owner where identities are not checked', async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 's1', t0, 'AROA:one');
      expect(await store.registerAgent({ ...offer, host: 'h2' }, 's2', t0 + 1)).toEqual({ kind: 'updated' });
      const { agent } = await readAgent(store, offer.agentId);
      expect([agent.host, agent.principal]).toEqual(['h2', 'AROA:one']);
    });

    it('has one winner and no error when sessions of one agent register together', async () => {
      const offer = makeOffer();
      const outcomes = await Promise.all(
        ['a', 'b', 'c', 'd'].map((session) => subject().store().registerAgent(offer, session, t0)),
      );
      expect(outcomes.filter(({ kind }) => kind === 'registered')).toHaveLength(1);
      const { ledger } = await readAgent(subject().store(), offer.agentId);
      expect(ledger).toEqual(ledgerFromCapacity(offer.agentId, offer.capacity));
    });
  });

  describe('listing agents', () => {
    it('loads a pool whole and pages through all without loss or repeat', async () => {
      const store = subject().store();
      const pool = unique('pool');
      const offers = Array.from({ length: 40 }, (_, index) => makeOffer(index % 4 === 3 ? {} : { pool }));
      for (const offer of offers) await store.registerAgent(offer, 's', t0);
      const inPool = offers.filter((offer) => offer.pool === pool).map(({ agentId }) => agentId);
      const loaded = await store.loadPool(pool);
      expect(loaded.map(({ agent }) => agent.agentId).sort()).toEqual([...inPool].sort());
      expect(loaded.every(({ agent, ledger }) => agent.agentId === ledger.agentId)).toBe(true);

      const list = async (filter: { pool?: string }, limit: number): Promise<string[]> => {
        const ids: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.listAgents(filter, { limit, ...(cursor !== undefined && { cursor }) });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          ids.push(...page.items.map(({ agent }) => agent.agentId));
          cursor = page.next;
        } while (cursor !== undefined);
        return ids;
      };
      for (const limit of [1, 7, 500])
        expect((await list({ pool }, limit)).sort()).toEqual([...inPool].sort());
      const all = await list({}, 9);
      expect(new Set(all).size).toBe(all.length);
      expect(all).toEqual(expect.arrayContaining(offers.map(({ agentId }) => agentId)));
    });

    it('gives every agent once without its ledger, page by page', async () => {
      const store = subject().store();
      const offers = Array.from({ length: 40 }, () => makeOffer());
      for (const offer of offers) await store.registerAgent(offer, 's', t0);
      const found: Agent[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listRegistered({ limit: 7, ...(cursor !== undefined && { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(7);
        found.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      const ids = found.map(({ agentId }) => agentId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(expect.arrayContaining(offers.map(({ agentId }) => agentId)));
      const [first] = offers as [Offer];
      const { agent } = await readAgent(store, first.agentId);
      expect(found.find(({ agentId }) => agentId === first.agentId)).toEqual(agent);
    });
  });

  describe('the order of sessions', () => {
    const setup = async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 'first', t0);
      return { store, offer, session: async () => (await readAgent(store, offer.agentId)).agent.sessionId };
    };

    it('is that of the queue: a process that registered before the present one changes nothing', async () => {
      const { store, offer, session } = await setup();
      await store.registerAgent(offer, 'second', t0 + 10);
      expect(await store.registerAgent({ ...offer, version: '9' }, 'late', t0 + 5)).toEqual({
        kind: 'stale',
      });
      expect(await session()).toBe('second');
      expect((await readAgent(store, offer.agentId)).agent.version).toBe(offer.version);
    });

    it('shows two machines of one id: a session that was followed never takes over again', async () => {
      const { store, offer, session } = await setup();
      await store.registerAgent(offer, 'second', t0 + 10);
      expect(await store.registerAgent(offer, 'first', t0 + 20)).toEqual({ kind: 'superseded' });
      expect(await session()).toBe('second');
      for (let i = 0; i < 20; i++) await store.registerAgent(offer, `more-${i}`, t0 + 30 + i);
      expect((await readAgent(store, offer.agentId)).agent.pastSessions).toHaveLength(8);
    });
  });

  describe('setAgentLost', () => {
    it('marks an agent lost and back, and refuses placements planned before', async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 's', t0);
      const read = await readAgent(store, offer.agentId);
      const placements = await newPlacements(store, 1);
      expect(await store.setAgentLost(read, t0 + 5)).toEqual({ kind: 'committed' });
      expect(await assignOne(store, assignment(read, placements))).toEqual({ kind: 'ledgerConflict' });
      const lost = await readAgent(store, offer.agentId);
      expect(lost.agent).toEqual({ ...read.agent, lostAt: t0 + 5 });
      expect(await store.setAgentLost(read, undefined)).toEqual({ kind: 'conflict' });
      // A registration in between does not bring it back: that takes heartbeats.
      await store.registerAgent(offer, 's2', t0 + 6);
      const again = await readAgent(store, offer.agentId);
      expect(again.agent.lostAt).toBe(t0 + 5);
      expect(await store.setAgentLost(again, undefined)).toEqual({ kind: 'committed' });
      expect((await readAgent(store, offer.agentId)).agent).not.toHaveProperty('lostAt');
    });
  });

  describe('forgetAgent', () => {
    const setup = async () => {
      const store = subject().store();
      const offer = makeOffer();
      await store.registerAgent(offer, 's', t0);
      const lose = async () => {
        await store.setAgentLost(await readAgent(store, offer.agentId), t0 + 5);
        return readAgent(store, offer.agentId);
      };
      return { store, offer, lose };
    };

    it('takes a lost agent away with its ledger; who registers then is new', async () => {
      const { store, offer, lose } = await setup();
      const lost = await lose();
      expect(await store.forgetAgent(lost)).toEqual({ kind: 'committed' });
      expect(await store.getAgent(offer.agentId)).toBeUndefined();
      expect(await store.forgetAgent(lost)).toEqual({ kind: 'conflict' });
      expect(await store.release(offer.agentId, [])).toEqual({ released: [] });
      expect(await store.registerAgent(offer, 's2', t0 + 9)).toEqual({ kind: 'registered' });
      expect((await readAgent(store, offer.agentId)).ledger).toMatchObject({ version: 1, live: [] });
    });

    it('leaves an agent that is not lost, that registered again, or that holds a task', async () => {
      const { store, offer, lose } = await setup();
      const present = await readAgent(store, offer.agentId);
      expect(await store.forgetAgent(present)).toEqual({ kind: 'conflict' });
      const lost = await lose();
      await store.registerAgent(offer, 's2', t0 + 6);
      expect(await store.forgetAgent(lost)).toEqual({ kind: 'conflict' });
      const again = await readAgent(store, offer.agentId);
      await store.setAgentLost(again, undefined);
      await assignOne(
        store,
        assignment(await readAgent(store, offer.agentId), await newPlacements(store, 1)),
      );
      const busy = await lose();
      expect(busy.ledger.live).toHaveLength(1);
      expect(await store.forgetAgent(busy)).toEqual({ kind: 'conflict' });
      expect(await readAgent(store, offer.agentId)).toEqual(busy);
    });
  });

  describe('the roster', () => {
    it('is stored whole under its version', async () => {
      const store = subject().store();
      // One roster a cluster, and all suites of one endpoint share its table.
      const before = await store.getRoster({ isConsistent: true });
      const version = (before?.version ?? 0) + 1;
      const roster: Roster = {
        version,
        calledAt: t0,
        trustedSince: t0 - 5,
        censusAt: t0 - 1,
        steadySince: t0 - 4,
        hold: { reason: 'MASS', since: t0, silent: 2, agents: 3, seenBefore: t0 - 9 },
        agents: new Map([
          ['a', { seenAt: t0 - 40_000, tasks: 0 }],
          ['b', { seenAt: t0 + 5 }],
          ['c', { seenAt: 0, tasks: 3, lostAt: t0 - 7, isSettled: true }],
          ['d', { seenAt: 1, lostAt: t0 - 7 }],
        ]),
      };
      expect(await store.putRoster(roster, before?.version)).toEqual({ kind: 'committed' });
      expect(await store.getRoster({ isConsistent: true })).toEqual(roster);
      expect(await store.putRoster({ ...roster, version: version + 1 }, before?.version)).toEqual({
        kind: 'conflict',
      });
      const { hold: _hold, ...free } = roster;
      const next: Roster = { ...free, version: version + 1, agents: new Map() };
      expect(await store.putRoster(next, version)).toEqual({ kind: 'committed' });
      expect(await store.getRoster()).toEqual(next);
    });

    it('fits one item with 10,000 agents of random names', async () => {
      const store = subject().store();
      const before = await store.getRoster({ isConsistent: true });
      const agents = new Map(
        Array.from({ length: 10_000 }, (_, index) => [
          randomUUID(),
          { seenAt: t0 - index * 7, tasks: index % 30 },
        ]),
      );
      const roster: Roster = {
        version: (before?.version ?? 0) + 1,
        calledAt: t0,
        trustedSince: 0,
        censusAt: 0,
        agents,
      };
      await store.putRoster(roster, before?.version);
      expect((await store.getRoster())?.agents).toEqual(agents);
    });
  });

  describe('what is known of the way of changes and reports', () => {
    it('only ever becomes newer, each kind of news for itself', async () => {
      const store = subject().store();
      // One row a cluster, and all suites of one endpoint share its table.
      const { probedAt = t0, lateAt = t0 } = await store.getPassage();
      await store.notePassage({ probedAt: probedAt + 5 });
      await store.notePassage({ lateAt: lateAt + 3 });
      await store.notePassage({ probedAt: probedAt + 4, lateAt: lateAt + 3 });
      expect(await store.getPassage()).toEqual({ probedAt: probedAt + 5, lateAt: lateAt + 3 });
      await store.notePassage({ probedAt: probedAt + 6, lateAt: lateAt + 7 });
      expect(await store.getPassage()).toEqual({ probedAt: probedAt + 6, lateAt: lateAt + 7 });
    });

    it('is asked for by a row that another probe may replace', async () => {
      const store = subject().store();
      await store.putProbe(t0);
      await expect(store.putProbe(t0)).resolves.toBeUndefined();
    });
  });

  describe('listOnAgent', () => {
    it('is empty for an agent without tasks', async () => {
      expect(await subject().store().listOnAgent(unique('agent'))).toEqual([]);
    });
  });

  describe('ping', () => {
    it('answers', async () => {
      await expect(subject().store().ping()).resolves.toBeUndefined();
    });

    it('says that the store cannot be reached, shortly and with its cause', async () => {
      const { stateTable, notesTable } = subject();
      const { createDynamoStore } = await import('../../shared/store/dynamo-store.ts');
      const nowhere = createDynamoStore({ stateTable, notesTable, endpoint: 'http://127.0.0.1:9' });
      await expect(nowhere.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
      const other = createDynamoStore({ client: subject().client, stateTable: 'no-such-table', notesTable });
      const error = await other.ping().catch((caught: unknown) => caught as Error);
      expect(error).toMatchObject({ code: 'INTERNAL', details: { operation: 'ping' } });
      expect((error as Error).message.length).toBeLessThan(500);
      expect((error as Error).cause).toMatchObject({ name: 'ResourceNotFoundException' });
    });
  });
}
