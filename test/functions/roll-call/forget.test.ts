// Agents that never come back: forgotten with all they left, and nothing that is still needed.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { confirmAfterMs } from '../../../shared/domain/placement/suspect.ts';
import type { Store } from '../../../shared/store/port.ts';
import { makeConfig } from '../../contract/fixtures.ts';
import { FakeHeartbeats } from '../support/heartbeats.ts';
import { callRollOf, forgetAfterMs } from '../support/roll-calls.ts';
import {
  createWorld,
  pathOf,
  registration,
  smallResources,
  statusReport,
  submission,
  type World,
} from '../support/world.ts';

let world: World;
let beats: FakeHeartbeats;
const others = ['a2', 'a3', 'a4'];
beforeEach(async () => {
  world = await createWorld();
  beats = new FakeHeartbeats();
  await world.report(['a1', ...others].map((agentId) => registration(agentId)));
  await world.run();
  for (let i = 0; i < 4; i++) await minute(['a1', ...others]);
});
afterEach(() => world.stop());

type More = Parameters<typeof callRollOf>[3];

/** A minute in which these agents are heard, then its roll call. */
async function minute(beating: readonly string[], over: Partial<Store> = {}, more: More = {}) {
  world.now += 60_000;
  beats.beat(beating, world.now - 40_000);
  beats.beat(beating, world.now - 5_000);
  const report = await callRollOf(world, beats, over, more);
  await world.run();
  return report;
}

/** a1 is silent from now on and lost. */
async function lose() {
  for (let i = 0; i < 4; i++) await minute(others);
  expect((await world.store.getAgent('a1'))?.agent.lostAt).toBeDefined();
}

/** Time passes in which nothing is called; then some roll calls in time, a census among them. */
async function later(ms: number, over: Partial<Store> = {}, more: More = {}): Promise<number> {
  world.now += ms;
  let forgotten = 0;
  for (let i = 0; i < 9; i++) forgotten += (await minute(others, over, more)).forgotten;
  return forgotten;
}

const tasksOnA1 = async (partitionPolicy?: { reschedule: boolean; delaySecs: number }) => {
  const only = { kind: 'value' as const, attribute: 'host', negated: false, values: ['a1.example.org'] };
  const config = makeConfig({
    service: true,
    resources: smallResources,
    constraints: [only],
    ...(partitionPolicy && { partitionPolicy }),
  });
  const job = submission({ configs: [{ instances: [[0, 1]], task: config }] });
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const tasks = await world.tasks(job);
  await world.report([
    statusReport(
      'a1',
      tasks.map(({ taskId }): [string, string] => [taskId, 'RUNNING']),
    ),
  ]);
  await world.run();
  return job;
};
const changes = () =>
  world.events.published.flatMap(({ detailType, detail }) =>
    detailType === 'Agent Change' && detail.agentId === 'a1' ? [detail.change] : [],
  );

describe('an agent that was lost for long', () => {
  it('is forgotten: its row, its ledger, its place in the roster and its queue; an event says so', async () => {
    await tasksOnA1();
    await lose();
    expect(await later(forgetAfterMs - 20 * 60_000)).toBe(0);
    expect(world.agents.queues.has('a1')).toBe(true);
    expect(await later(20 * 60_000)).toBe(1);
    expect(await world.store.getAgent('a1')).toBeUndefined();
    expect((await world.dump()).filter((row) => row.includes('#a1"'))).toEqual([]);
    expect(changes()).toEqual(['registered', 'lost', 'removed']);
    expect([...world.agents.queues].sort()).toEqual(others);
    expect((await world.store.getRoster())?.agents.has('a1')).toBe(false);
    expect((await world.call('GET', '/agents')).body.agents).toHaveLength(3);
    expect(world.meter.counts.get('AgentsForgotten')).toBe(1);
    expect(await later(0)).toBe(0);
  });

  it('registers as new when it comes back, and gets tasks', async () => {
    const job = await tasksOnA1();
    await lose();
    await later(forgetAfterMs);
    expect((await world.call('GET', '/agents/a1/tasks', { query: { session: 's1' } })).status).toBe(404);
    await world.report([{ ...registration('a1'), sentAt: world.now }]);
    await world.run();
    expect(world.agents.queues.has('a1')).toBe(true);
    expect((await world.tasks(job)).filter(({ state }) => state === 'ASSIGNED')).toHaveLength(2);
    // What it still ran of old is LOST and stays so: telling of it is answered by a kill.
    const old = (await world.tasks(job)).filter(({ generation }) => generation === 1);
    await world.report([statusReport('a1', [[old[0]?.taskId ?? '', 'RUNNING']])]);
    expect(world.agents.of('a1').at(-1)).toEqual({ v: 1, kind: 'kill', taskIds: [old[0]?.taskId] });
    expect((await world.tasks(job)).filter(({ state }) => state === 'LOST')).toHaveLength(2);
  });

  it('stays while tasks wait for its return', async () => {
    const job = await tasksOnA1({ reschedule: false, delaySecs: 0 });
    await lose();
    expect(await later(10 * forgetAfterMs)).toBe(0);
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(['PARTITIONED', 'PARTITIONED']);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    expect(await later(0)).toBe(1);
  });

  it('is forgotten once its ledger is set right, if a release got lost', async () => {
    const job = await tasksOnA1();
    await lose();
    const entry = await world.store.getAgent('a1');
    if (!entry) throw new Error('the agent is there');
    const leaked = { ...entry.ledger, live: ['0.gone'], freeCpuMilli: 0 };
    await world.store.healLedger(entry, leaked);
    expect(await later(forgetAfterMs)).toBe(0);
    for (let i = 0; i < 16; i++) {
      world.now += 60_000;
      await world.sweep();
    }
    world.now += confirmAfterMs;
    for (let i = 0; i < 16; i++) {
      world.now += 60_000;
      await world.sweep();
    }
    expect(await later(0)).toBe(1);
    expect((await world.tasks(job)).filter(({ state }) => state === 'LOST')).toHaveLength(2);
  });

  it('is forgotten sooner while more of them are lost than the roster is to hold', async () => {
    await lose();
    const forget = { forgetAfterMs, lostAfterMs: 90_000, mostLost: 0 };
    expect(await later(0, {}, { forget })).toBe(1);
  });

  it('is not forgotten while heartbeats may be late', async () => {
    await lose();
    world.now += forgetAfterMs;
    beats.isLate = true;
    for (let i = 0; i < 9; i++) expect(await minute(others)).toMatchObject({ forgotten: 0 });
    expect(await world.store.getAgent('a1')).toBeDefined();
    beats.deliverLate();
    expect(await later(0)).toBe(1);
  });

  it('is not forgotten if it registers between the look and the write', async () => {
    await lose();
    let races = 0;
    const racing: Partial<Store> = {
      forgetAgent: async (read) => {
        races++;
        await world.report([{ ...registration('a1'), sessionId: `s${races + 1}` }]);
        return world.store.forgetAgent(read);
      },
    };
    expect(await later(forgetAfterMs, racing)).toBe(0);
    expect(races).toBeGreaterThan(0);
    expect(await world.store.getAgent('a1')).toBeDefined();
    expect(world.agents.queues.has('a1')).toBe(true);
  });
});

describe('when it is forgotten half way', () => {
  it('and the write fails, a later roll call does it', async () => {
    await lose();
    const down = { forgetAgent: () => Promise.reject(new Error('down')) };
    expect(await later(forgetAfterMs, down)).toBe(0);
    expect(await later(0)).toBe(1);
  });

  it('and its queue cannot be deleted, the stream brings the record again', async () => {
    await lose();
    world.agents.failing.add('a1');
    await expect(later(forgetAfterMs)).rejects.toThrow('commanding agent a1 failed');
    expect(await world.store.getAgent('a1')).toBeUndefined();
    expect(world.agents.queues.has('a1')).toBe(true);
    world.agents.failing.delete('a1');
    await world.redeliver();
    expect(world.agents.queues.has('a1')).toBe(false);
  });

  it('and the record of the stream comes again after its return, its queue stays', async () => {
    await lose();
    await later(forgetAfterMs);
    await world.report([registration('a1')]);
    await world.run();
    await world.redeliver();
    expect(world.agents.queues.has('a1')).toBe(true);
    expect(await world.store.getAgent('a1')).toBeDefined();
  });

  it('and the record of the stream is lost for good, its queue goes within the hour', async () => {
    world.agents.queues.add('never-was');
    await lose();
    await later(3600_000);
    expect([...world.agents.queues].sort()).toEqual(['a1', ...others]);
  });

  it('and it comes back while SQS makes no queue of its name, a timer makes one later', async () => {
    await lose();
    await later(forgetAfterMs);
    world.agents.resting.add('a1');
    await world.report([registration('a1')]);
    await world.run();
    expect(world.agents.queues.has('a1')).toBe(false);
    await expect(world.fireTimers()).rejects.toThrow('work on agentQueue a1 fai');
    world.agents.resting.delete('a1');
    await world.redeliver();
    expect(world.agents.queues.has('a1')).toBe(true);
  });
});
