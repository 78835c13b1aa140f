// A ledger whose release was lost for good: found and set right, and never at the cost of a task that lives.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditLedgers } from '../../../functions/sweeper/audit-ledgers.ts';
import { take } from '../../../shared/domain/placement/index.ts';
import { confirmAfterMs } from '../../../shared/domain/placement/suspect.ts';
import { liveId } from '../../../shared/model/job-key.ts';
import type { Task } from '../../../shared/model/task.ts';
import { agentShards } from '../../../shared/store/keys.ts';
import type { Store } from '../../../shared/store/port.ts';
import { t0 } from '../../contract/fixtures.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await world.report([registration('a1')]);
});
afterEach(() => world.stop());

/** What the agent says it has. */
const says = (tasks: number): Partial<Store> => ({
  getRoster: async () => ({
    version: 1,
    calledAt: world.now,
    trustedSince: 0,
    censusAt: 0,
    agents: new Map([['a1', { seenAt: world.now, tasks }]]),
  }),
});

/** As many sweeps as it takes to come to every agent. */
async function auditAll(over: Partial<Store>): Promise<number> {
  let healed = 0;
  for (let minute = 0; minute < agentShards; minute++) {
    world.now += 60_000;
    healed += await auditLedgers({ ...world.common, store: { ...world.store, ...over } });
  }
  return healed;
}

async function running(): Promise<readonly Task[]> {
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  return world.tasks(job);
}

/** Ends a task; the stream's record of it, and with it the release, is never carried out. */
async function leak({ taskId }: Task): Promise<void> {
  const task = await world.store.getTask(taskId);
  if (!task) throw new Error('the task is there');
  await world.report([statusReport('a1', [[taskId, 'FINISHED']])]);
}

const live = async () => (await world.store.getAgent('a1'))?.ledger.live.length;

describe('the audit of ledgers', () => {
  it('gives back what an ended task still holds, after a second look', async () => {
    const [first] = (await running()) as [Task];
    await leak(first);
    expect(await live()).toBe(3);
    expect(await auditAll(says(2))).toBe(0);
    expect(await live()).toBe(3);
    world.now += confirmAfterMs;
    expect(await auditAll(says(2))).toBe(1);
    const entry = await world.store.getAgent('a1');
    expect(entry?.ledger).toMatchObject({ freeCpuMilli: 2000 });
    expect(entry?.ledger.live).toHaveLength(2);
    expect(world.log.lines.at(-1)).toMatchObject({ level: 'error' });
    // The release that comes after all changes nothing.
    await world.run();
    expect((await world.store.getAgent('a1'))?.ledger.freeCpuMilli).toBeLessThanOrEqual(2000);
    expect(await auditAll(says(2))).toBe(0);
  });

  it('gives it back on a busy agent, too, on which some other task is never where it is looked for', async () => {
    const [first] = (await running()) as [Task];
    await leak(first);
    let looks = 0;
    // Of the two that run, one after the other is hidden.
    const busy: Partial<Store> = {
      listOnAgent: async (agentId) => {
        const tasks = await world.store.listOnAgent(agentId);
        expect(tasks).toHaveLength(2);
        const hidden = tasks[looks++ % 2];
        return tasks.filter((task) => task !== hidden);
      },
    };
    await auditAll({ ...busy, ...says(2) });
    expect(await live()).toBe(3);
    world.now += confirmAfterMs;
    await auditAll({ ...busy, ...says(2) });
    expect(await live()).toBe(2);
    expect((await world.store.getAgent('a1'))?.ledger.freeCpuMilli).toBe(2000);
  });

  it('looks at what it suspects in every sweep, not only when its turn comes', async () => {
    const [first] = (await running()) as [Task];
    await leak(first);
    await auditAll(says(2));
    const once = () => auditLedgers({ ...world.common, store: { ...world.store, ...says(2) } });
    // Another part of the fleet has its turn at each of these minutes; at most one of them is this agent's.
    world.now += confirmAfterMs + 5 * 60_000;
    expect(await once()).toBe(1);
    expect((await world.store.listSuspicions()).size).toBe(1);
    world.now += 60_000;
    expect(await once()).toBe(0);
    expect((await world.store.listSuspicions()).size).toBe(0);
  });

  it('reads the keys of a part of the fleet, and the ledgers of a few agents only', async () => {
    const shard = Math.floor((world.now + 60_000) / 60_000) % agentShards;
    const read: string[] = [];
    const over: Partial<Store> = {
      listAgentShard: async (asked) =>
        asked === shard ? Array.from({ length: 5_000 }, (_, index) => `a${index}`) : [],
      getAgent: async (agentId) => void read.push(agentId),
    };
    world.now += 60_000;
    for (let turn = 0; turn < 3; turn++) {
      await auditLedgers({ ...world.common, store: { ...world.store, ...over } });
      world.now += agentShards * 60_000;
    }
    expect(read.length).toBeLessThanOrEqual(3 * 16);
    expect(new Set(read).size).toBe(read.length);
  });

  it('gives back what an ended task holds on an agent that was lost, whatever that said before', async () => {
    const tasks = await running();
    await leak(tasks[0] as Task);
    const read = await world.store.getAgent('a1');
    if (!read) throw new Error('the agent is there');
    await world.store.setAgentLost(read, world.now);
    expect(await auditAll(says(3))).toBe(0);
    world.now += confirmAfterMs;
    await auditAll(says(3));
    expect(await live()).toBe(2);
  });

  it('takes nothing from a task that the index does not show, however long it does not', async () => {
    await running();
    const stale: Partial<Store> = { listOnAgent: async () => [] };
    for (let round = 0; round < 3; round++) {
      expect(await auditAll({ ...stale, ...says(3) })).toBe(0);
      world.now += confirmAfterMs;
    }
    expect(await live()).toBe(3);
  });

  it('takes nothing from a task that is assigned between its reads and its write', async () => {
    const [first] = (await running()) as [Task];
    await leak(first);
    await auditAll(says(2));
    world.now += confirmAfterMs;
    const more = submission({
      configs: [{ instances: [[0, 0]], task: submission().configs[0]?.task as never }],
    });
    const racing: Partial<Store> = {
      healLedger: async (read, ledger) => {
        // The release has not come, but there is room for one more.
        await world.call('POST', pathOf(more), { body: more });
        await world.reconcile(more);
        const waiting = await world.store.listPending('default', 10);
        const row = waiting.find(({ key }) => key.name === more.name);
        const grant = { gpus: [], ports: {} };
        if (!row) throw new Error('a task waits');
        const after = take(read.ledger, row.resources, grant, liveId(row.taskId));
        const times = { now: world.now, deadlineAt: world.now + 300_000 };
        const ledgerVersion = read.ledger.version;
        const version = ledgerVersion + 1;
        const input = {
          agentId: 'a1',
          ledgerVersion,
          after: { ...after, version },
          tasks: [{ row, grant }],
          ...times,
        };
        expect(await world.store.assign([input])).toEqual([{ kind: 'committed' }]);
        return world.store.healLedger(read, ledger);
      },
    };
    const over = { ...world.store, ...says(2), ...racing };
    expect(await auditLedgers({ ...world.common, store: over })).toBe(0);
    const [assigned] = (await world.tasks(more)) as [Task];
    expect(assigned.state).toBe('ASSIGNED');
    expect(await live()).toBe(4);
    expect((await world.store.getAgent('a1'))?.ledger.freeCpuMilli).toBe(0);
  });

  it('leaves alone what it cannot read in whole', async () => {
    const [first, second] = (await running()) as [Task, Task];
    await leak(first);
    const unread: Partial<Store> = {
      listOnAgent: async (agentId, aside) => {
        const tasks = await world.store.listOnAgent(agentId);
        aside?.({ pk: 'TASKS#x', sk: 'I#1', error: new Error('unreadable') });
        return tasks.filter(({ taskId }) => taskId !== second.taskId);
      },
    };
    await auditAll({ ...unread, ...says(0) });
    world.now += confirmAfterMs;
    expect(await auditAll({ ...unread, ...says(0) })).toBe(0);
    expect(await live()).toBe(3);
  });

  it('writes nothing while all is well, and reads no tasks of an agent that has none', async () => {
    const before = await world.dump();
    const never = () => Promise.reject(new Error('not asked'));
    expect(await auditAll({ listOnAgent: never, putSuspicion: never, dropSuspicion: never })).toBe(0);
    expect(await world.dump()).toEqual(before);
    expect(world.now).toBeGreaterThan(t0);
  });
});
