// The matcher on the real store: conflicts, large agents, limits, pages, time.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MatcherDeps, matchPool } from '../../../functions/matcher/match-pool.ts';
import { createReasonWriter } from '../../../functions/matcher/reason-writer.ts';
import { auditLedger } from '../../../shared/domain/placement/index.ts';
import { defaultTimeouts } from '../../../shared/domain/task/timeouts.ts';
import { BorealisError } from '../../../shared/lib/errors.ts';
import type { PendingReason } from '../../../shared/model/reason.ts';
import { isOnAgent } from '../../../shared/model/task.ts';
import type { AssignInput, Store } from '../../../shared/store/port.ts';
import { makeConfig, makeTask, t0 } from '../../contract/fixtures.ts';
import { FakeLog, FakeMeter } from '../support/fakes.ts';
import {
  createWorld,
  pathOf,
  registration,
  smallResources,
  submission,
  type World,
} from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

/** Makes the tasks of a job without matching them. */
async function waitingJob(instances: number, task: Parameters<typeof submission>[1] = {}) {
  const config = makeConfig({ resources: smallResources, ...task });
  const job = submission({ configs: [{ instances: [[0, instances - 1]], task: config }] });
  const { status } = await world.call('POST', pathOf(job), { body: job });
  expect(status).toBe(201);
  await world.reconcile(job);
  return job;
}

function match(
  over: Partial<Store> = {},
  limits: MatcherDeps['limits'] = {},
  remainingMs = () => 600_000,
  log = new FakeLog(),
) {
  const store: Store = { ...world.store, ...over };
  return matchPool('default', remainingMs, {
    store,
    reasons: createReasonWriter(store, () => world.now),
    timeouts: defaultTimeouts,
    clock: () => world.now,
    log,
    meter: new FakeMeter(),
    limits,
  });
}

const cores = (agentId: string, count: number, over = {}) =>
  registration(agentId, {
    capacity: {
      ...registration(agentId).offer.capacity,
      cpuMilli: count * 1000,
      ramMb: 1_000_000,
      diskMb: 1_000_000,
    },
    ...over,
  });

async function ledgerAddsUp(agentId: string): Promise<void> {
  const entry = await world.store.getAgent(agentId);
  const on = await world.store.listOnAgent(agentId);
  if (!entry) throw new Error(`no agent ${agentId}`);
  const holdings = on.map(({ taskId, resources, grant }) => ({
    taskId,
    resources,
    grant: grant ?? { gpus: [], ports: {} },
  }));
  expect(auditLedger(entry.agent.capacity, entry.ledger, holdings)).toEqual([]);
}

describe('matchPool', () => {
  it('plans anew what a ledger refused, with the agent as it is now', async () => {
    await world.report([cores('a1', 4), cores('a2', 4)]);
    const job = await waitingJob(8);
    let interfered = false;
    const report = await match({
      assign: async (inputs) => {
        if (!interfered && has(inputs, 'a1')) {
          interfered = true;
          await takeOneCore('a1');
        }
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 7, waiting: 1, conflicts: 1, rounds: 2, complete: true });
    const tasks = await world.tasks(job);
    expect(tasks.filter(({ state }) => state === 'ASSIGNED')).toHaveLength(7);
    const why = await world.call('GET', `${pathOf(job)}/why`);
    expect(why.body.pending[0].reason).toMatchObject({ verdict: 'waiting', agents: 2 });
  });

  it('drops tasks that no longer wait and places the rest', async () => {
    await world.report([cores('a1', 8)]);
    const job = await waitingJob(4);
    const [gone] = await world.tasks(job);
    let killed = false;
    const report = await match({
      assign: async (inputs) => {
        if (!killed && gone) {
          killed = true;
          await world.store.transition({ task: gone });
        }
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 3, waiting: 0, conflicts: 1 });
    await ledgerAddsUp('a1');
  });

  it('is not misled by an index that still lists what it has just placed', async () => {
    await world.report([cores('a1', 8)]);
    await waitingJob(4);
    const stale = await world.store.listPending('default', 100);
    const report = await match(
      { listPending: async (_pool, limit) => stale.slice(0, limit) },
      { pendingLimit: 4 },
    );
    expect(report).toMatchObject({ assigned: 4, conflicts: 0 });
    const again = await match({ listPending: async () => stale });
    expect(again).toMatchObject({ assigned: 0, waiting: 0 });
    await ledgerAddsUp('a1');
  });

  it('gives one agent more tasks than one transaction takes', async () => {
    await world.report([cores('big', 300)]);
    await waitingJob(250);
    const transactions: number[] = [];
    const report = await match({
      assign: (inputs) => {
        transactions.push(inputs.flatMap(({ tasks }) => tasks).length);
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 250, waiting: 0, conflicts: 0 });
    expect(transactions).toEqual([99, 99, 52]);
    await ledgerAddsUp('big');
  });

  it('keeps the part that was committed when a later transaction of the same agent is refused', async () => {
    await world.report([cores('big', 120)]);
    await waitingJob(120);
    let calls = 0;
    const report = await match({
      assign: async (inputs) => {
        calls++;
        if (calls === 2) await takeOneCore('big');
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 119, waiting: 1, conflicts: 1 });
    await ledgerAddsUp('big');
  });

  it('tries an agent again whose rows were throttled; the others stand', async () => {
    await world.report([cores('one', 5), cores('two', 5)]);
    await waitingJob(10);
    let throttled = 0;
    const report = await match({
      assign: async (inputs) => {
        if (has(inputs, 'one') && throttled++ < 3) throw new BorealisError('THROTTLED', 'busy');
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 10, waiting: 0, conflicts: 2, complete: true });
    await ledgerAddsUp('one');
    await ledgerAddsUp('two');
  });

  it('puts several agents into one transaction, and tries each alone when one of them was refused', async () => {
    await world.report(['a1', 'a2', 'a3'].map((id) => cores(id, 2)));
    const job = await waitingJob(6);
    const sent: string[][] = [];
    const report = await match({
      assign: async (inputs) => {
        sent.push(inputs.map(({ agentId }) => agentId));
        if (sent.length === 1) await takeOneCore('a2');
        return world.store.assign(inputs);
      },
    });
    expect(report).toMatchObject({ assigned: 5, waiting: 1, conflicts: 1, rounds: 2 });
    expect(sent).toEqual([['a1', 'a2', 'a3'], ['a1'], ['a3'], ['a2']]);
    expect((await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED')).toHaveLength(5);
    for (const id of ['a1', 'a2', 'a3']) await ledgerAddsUp(id);
  });

  it('leaves out an agent whose assignment the store refuses for good, and says so', async () => {
    await world.report([cores('one', 5), cores('two', 5)]);
    await waitingJob(10);
    const log = new FakeLog();
    const assign: Store['assign'] = async (inputs) => {
      if (has(inputs, 'one')) throw new BorealisError('INTERNAL', 'item too large');
      return world.store.assign(inputs);
    };
    const report = await match({ assign }, {}, undefined, log);
    expect(report).toMatchObject({ assigned: 5, waiting: 5, complete: true });
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    await ledgerAddsUp('two');
  });

  it.each([
    ['UNAVAILABLE', 'is gone'],
    ['INTERNAL', 'refuses every assignment'],
  ] as const)('fails with %s when the store %s, so that the wake-up comes again', async (code, _what) => {
    await world.report([cores('one', 5), cores('two', 5)]);
    await waitingJob(1);
    const assign = () => Promise.reject(new BorealisError(code, 'no'));
    await expect(match({ assign })).rejects.toMatchObject({ code });
  });

  it('is done although the reasons could not be written', async () => {
    await world.report([cores('one', 1)]);
    await waitingJob(2);
    const putReasons = () => Promise.reject(new BorealisError('THROTTLED', 'busy'));
    expect(await match({ putReasons })).toMatchObject({ assigned: 1, waiting: 1, complete: true });
  });

  it('counts what already runs against a limit constraint, over rounds and runs', async () => {
    const racks = ['r1', 'r1', 'r2'];
    await world.report(racks.map((rack, index) => cores(`a${index}`, 8, { attributes: { rack: [rack] } })));
    const job = await waitingJob(3, { constraints: [{ kind: 'limit', attribute: 'rack', limit: 2 }] });
    expect(await match({}, { pendingLimit: 1 })).toMatchObject({ assigned: 3 });
    await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 3 } });
    await world.reconcile(job);
    expect(await match()).toMatchObject({ assigned: 1, waiting: 2 });
    const perRack = { r1: 0, r2: 0 };
    for (const { state, agentId } of await world.tasks(job)) {
      if (isOnAgent(state)) perRack[racks[Number(agentId?.slice(1))] as 'r1' | 'r2']++;
    }
    expect(perRack).toEqual({ r1: 2, r2: 2 });
    const why = await world.call('GET', `${pathOf(job)}/why`, { query: { agents: 'true' } });
    expect(why.body.pending[0].agents[0].reasons[0]).toMatchObject({ code: 'LIMIT', attribute: 'rack' });
  });

  it('looks behind a full page of tasks that fit nowhere', async () => {
    await world.report([cores('a1', 8)]);
    const huge = await waitingJob(20, { priority: 9, resources: { ...smallResources, cpuMilli: 64_000 } });
    const small = await waitingJob(2);
    expect(await match({}, { pendingLimit: 5 })).toMatchObject({ assigned: 2, waiting: 20, complete: true });
    expect((await world.tasks(small)).every(({ state }) => state === 'ASSIGNED')).toBe(true);
    const why = await world.call('GET', `${pathOf(huge)}/why`);
    expect(why.body.pending[0]).toMatchObject({ instances: [[0, 19]], reason: { verdict: 'neverFits' } });
  });

  it('vouches for no more than it read: not for room that appeared after the agents were loaded', async () => {
    await world.report([cores('a1', 8)]);
    await waitingJob(20, { priority: 9, resources: { ...smallResources, cpuMilli: 64_000 } });
    let loadedAt = 0;
    const loadPool: Store['loadPool'] = async (pool) => {
      loadedAt = world.now;
      return world.store.loadPool(pool);
    };
    const listPending: Store['listPending'] = async (pool, limit) => {
      world.now += 10_000;
      return world.store.listPending(pool, limit);
    };
    const report = await match({ loadPool, listPending }, { pendingLimit: 5 });
    expect(report.complete).toBe(true);
    expect(world.now).toBeGreaterThan(loadedAt);
    expect(report.readAt).toBeLessThanOrEqual(loadedAt);
  });

  it('stops in time and says that it must be woken again', async () => {
    await world.report([cores('a1', 8)]);
    await waitingJob(4);
    expect(await match({}, {}, () => 1000)).toMatchObject({ assigned: 0, complete: false });
    let looks = 0;
    const report = await match({}, { pendingLimit: 2 }, () => (looks++ < 2 ? 600_000 : 1000));
    expect(report).toMatchObject({ assigned: 2, complete: false });
  });

  it('places nothing on agents in maintenance or of another pool', async () => {
    await world.report([cores('other', 8, { pool: 'gpu' })]);
    const job = await waitingJob(1);
    expect(await match()).toMatchObject({ assigned: 0, waiting: 1 });
    const why = await world.call('GET', `${pathOf(job)}/why`);
    expect(why.body.pending[0].reason.counts).toEqual([{ code: 'NO_AGENTS', agents: 0 }]);
  });
});

describe('the reason writer', () => {
  const row = (configId: string) => {
    const task = makeTask({ configId });
    const { taskId, generation, instance, priority, createdAt, resources, constraints } = task;
    const key = { role: task.role, environment: task.environment, name: task.name };
    return { taskId, configId, generation, instance, key, priority, createdAt, resources, constraints };
  };
  const reason = (over: Partial<PendingReason> = {}): PendingReason => ({
    verdict: 'waiting',
    agents: 2,
    counts: [{ code: 'CPU', agents: 2 }],
    at: t0,
    ...over,
  });

  it('writes one note per job and config, and again only when there is something to say', async () => {
    const written: string[][] = [];
    let now = t0;
    const writer = createReasonWriter(
      {
        putReasons: async (notes) => {
          written.push(notes.map(({ configId }) => configId));
        },
      },
      () => now,
    );
    const rows = [row('c1'), row('c1'), row('c2')];
    const byId = new Map(rows.map((one) => [one.taskId, one]));
    const write = (over: Partial<PendingReason> = {}) =>
      writer.write(
        rows.map(({ taskId }) => ({ taskId, shapeKey: 's', reason: reason({ at: now, ...over }) })),
        byId,
      );
    await write();
    expect(written).toEqual([['c1', 'c2']]);
    now += 10_000;
    await write();
    await write({ counts: [{ code: 'CPU', agents: 1 }], agents: 1 });
    expect(written).toHaveLength(1);
    await write({ counts: [{ code: 'RAM', agents: 2 }] });
    expect(written).toHaveLength(2);
    now += 20_000;
    await write({ counts: [{ code: 'RAM', agents: 1 }] });
    expect(written).toHaveLength(3);
    now += 59_000;
    await write({ counts: [{ code: 'RAM', agents: 1 }] });
    expect(written).toHaveLength(3);
    now += 1000;
    await write({ counts: [{ code: 'RAM', agents: 1 }] });
    expect(written).toHaveLength(4);
    await write({ verdict: 'neverFits', counts: [{ code: 'RAM', agents: 1 }] });
    expect(written).toHaveLength(5);
  });
});

function has(inputs: readonly AssignInput[], agentId: string): boolean {
  return inputs.some((input) => input.agentId === agentId);
}

/** Another writer assigns a task of its own to the agent. */
async function takeOneCore(agentId: string): Promise<void> {
  const job = await waitingJob(1, { pool: 'elsewhere' });
  const [row] = await world.store.listPending('elsewhere', 10);
  const entry = await world.store.getAgent(agentId);
  if (!row || !entry) throw new Error(`nothing to assign for ${job.name}`);
  const { ledger } = entry;
  const [outcome] = await world.store.assign([
    {
      agentId,
      ledgerVersion: ledger.version,
      after: {
        ...ledger,
        version: ledger.version + 1,
        freeCpuMilli: ledger.freeCpuMilli - row.resources.cpuMilli,
        freeRamMb: ledger.freeRamMb - row.resources.ramMb,
        freeDiskMb: ledger.freeDiskMb - row.resources.diskMb,
        live: [...ledger.live, row.taskId],
      },
      tasks: [{ row, grant: { gpus: [], ports: {} } }],
      now: world.now,
      deadlineAt: world.now + 1000,
    },
  ]);
  expect(outcome?.kind).toBe('committed');
}
