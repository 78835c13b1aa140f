import { DeleteItemCommand, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import type { Job } from '../../shared/model/job.ts';
import { agentShards, jobKeyOf } from '../../shared/store/keys.ts';
import type { AgentWithLedger, SweepLease } from '../../shared/store/port.ts';
import type { StoreUnderTest } from './engines.ts';
import {
  makeConfig,
  makeJob,
  makeOffer,
  makeTask,
  makeTasks,
  noGrant,
  pendingRowOf,
  step,
  t0,
  unique,
} from './fixtures.ts';

/** What the sweeper keeps for itself, and the ledgers it looks over. */
export function upkeepContract(subject: () => StoreUnderTest): void {
  const registered = async (): Promise<AgentWithLedger> => {
    const store = subject().store();
    const agentId = unique('agent');
    await store.registerAgent(makeOffer({ agentId, pool: unique('pool') }), 's1', t0);
    return (await store.getAgent(agentId)) as AgentWithLedger;
  };

  const rowKeyOf = (job: Job) => {
    const { pk, sk } = jobKeyOf(job);
    return { pk: { S: pk }, sk: { S: sk } };
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
    it('has every agent in exactly one shard', async () => {
      const one = await registered();
      const shards = await Promise.all(
        Array.from({ length: agentShards }, (_, shard) => subject().store().listAgentShard(shard)),
      );
      const { agentId } = one.agent;
      expect(shards.flat().filter((id) => id === agentId)).toEqual([agentId]);
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

  describe('dropHistory', () => {
    it('takes away the rows of ended tasks, once', async () => {
      const store = subject().store();
      const tasks = makeTasks(30, { name: unique('job') }).map((task) => step(task, 'FAILED'));
      await store.insertTasks(tasks);
      expect(await store.dropHistory(tasks.slice(0, 28))).toBe(28);
      expect(await store.dropHistory(tasks.slice(0, 28))).toBe(0);
      expect(await store.getTasks(tasks.map(({ taskId }) => taskId))).toHaveLength(2);
    });

    it('never takes away a task that lives, not even if it is said to have ended', async () => {
      const store = subject().store();
      const live = step(makeTask({ name: unique('job') }), 'RUNNING');
      await store.insertTasks([live]);
      await expect(store.dropHistory([live])).rejects.toMatchObject({ code: 'INTERNAL' });
      expect(await store.dropHistory([step(live, 'FAILED')])).toBe(0);
      const another = makeTask({ ...live, taskId: `${live.taskId}x` });
      expect(await store.dropHistory([step(another, 'FAILED')])).toBe(0);
      expect(await store.getTask(live.taskId)).toEqual(live);
    });
  });

  describe('expireJob', () => {
    const rowOf = async (job: Job) =>
      (
        await subject().client.send(
          new GetItemCommand({ TableName: subject().stateTable, Key: rowKeyOf(job) }),
        )
      ).Item;

    it('gives the row a day to go, which any change of the job takes back', async () => {
      const store = subject().store();
      const job = makeJob({ name: unique('job') });
      await store.createJob({ job, configs: new Map() });
      expect(await store.expireJob(job, t0)).toEqual({ kind: 'committed' });
      expect((await rowOf(job))?.expiresAt).toEqual({ N: String(t0 / 1000) });
      expect(await store.getJob(job)).toEqual(job);
      const next = { ...job, specVersion: job.specVersion + 1 };
      const { specVersion, reconciledVersion } = job;
      await store.updateJob(next, { specVersion, reconciledVersion });
      expect(await rowOf(job)).not.toHaveProperty('expiresAt');
    });

    it('leaves a job alone that was changed or is gone', async () => {
      const store = subject().store();
      const job = makeJob({ name: unique('job') });
      expect(await store.expireJob(job, t0)).toEqual({ kind: 'conflict' });
      const changed = { ...job, specVersion: job.specVersion + 1 };
      await store.createJob({ job: changed, configs: new Map() });
      expect(await store.expireJob(job, t0)).toEqual({ kind: 'conflict' });
      expect(await rowOf(job)).not.toHaveProperty('expiresAt');
    });
  });

  describe('dropConfigs', () => {
    const configs = new Map(Array.from({ length: 30 }, (_, index) => [`c${index}`, makeConfig()]));

    it('takes away the configs of a job that is gone, and of no other', async () => {
      const store = subject().store();
      const [gone, kept] = [makeJob({ name: unique('job') }), makeJob({ name: unique('job') })];
      for (const job of [gone, kept]) await store.createJob({ job, configs });
      const Key = rowKeyOf(gone);
      await subject().client.send(new DeleteItemCommand({ TableName: subject().stateTable, Key }));
      expect(await store.dropConfigs(gone)).toBe(30);
      expect(
        await subject()
          .store()
          .getConfigs(gone, [...configs.keys()]),
      ).toEqual(new Map());
      expect(
        (
          await subject()
            .store()
            .getConfigs(kept, [...configs.keys()])
        ).size,
      ).toBe(30);
      expect(await store.dropConfigs(gone)).toBe(0);
    });

    it('takes nothing from a job that is there (again)', async () => {
      const store = subject().store();
      const job = makeJob({ name: unique('job') });
      await store.createJob({ job, configs });
      expect(await store.dropConfigs(job)).toBe(0);
      expect(
        (
          await subject()
            .store()
            .getConfigs(job, [...configs.keys()])
        ).size,
      ).toBe(30);
    });
  });

  describe('a suspicion', () => {
    it('is remembered by agent until it is dropped, the oldest first', async () => {
      const agentId = unique('agent');
      const store = subject().store();
      const older = unique('agent');
      const known = async () =>
        [...(await store.listSuspicions())].filter(([id]) => [agentId, older].includes(id));
      expect(await known()).toEqual([]);
      await store.putSuspicion(agentId, { live: ['3.abc'], since: t0 + 1 });
      await store.putSuspicion(older, { live: [], since: t0 });
      expect(await known()).toEqual([
        [older, { live: [], since: t0 }],
        [agentId, { live: ['3.abc'], since: t0 + 1 }],
      ]);
      await store.dropSuspicion(older);
      await store.dropSuspicion(older);
      expect((await known()).map(([id]) => id)).toEqual([agentId]);
    });
  });
}
