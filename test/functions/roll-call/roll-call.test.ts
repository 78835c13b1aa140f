// Agents that fall silent and come back, through the real store, the stream and the matcher.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IdentityMode } from '../../../shared/domain/agent/identity.ts';
import type { Task } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import type { Store } from '../../../shared/store/port.ts';
import { makeConfig } from '../../contract/fixtures.ts';
import { FakeHeartbeats } from '../support/heartbeats.ts';
import { callRollOf } from '../support/roll-calls.ts';
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
beforeEach(async () => {
  world = await createWorld();
  beats = new FakeHeartbeats();
});
afterEach(() => world.stop());

const call = (over: Partial<Store> = {}, remainingMs = 55_000, identity: IdentityMode = 'none') =>
  callRollOf(world, beats, over, { remainingMs, identity });

/** A minute in which these agents are heard, then its roll call. */
async function minute(beating: readonly string[], more: { tasks?: number } = {}) {
  world.now += 60_000;
  beats.beat(beating, world.now - 40_000, more);
  beats.beat(beating, world.now - 5_000, more);
  const report = await call();
  await world.run();
  return report;
}

const fleet = ['a1', 'a2', 'a3', 'a4'];

/** Four agents that have been heard for a while, and a job of three tasks that all run on a1. */
async function running(task: Partial<TaskConfig> = {}) {
  await world.report(fleet.map((agentId) => registration(agentId)));
  await world.run();
  for (let i = 0; i < 4; i++) await minute(fleet);
  const only = { kind: 'value' as const, attribute: 'host', negated: false, values: ['a1.example.org'] };
  const config = makeConfig({ service: true, resources: smallResources, constraints: [only], ...task });
  const job = submission({ configs: [{ instances: [[0, 2]], task: config }] });
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const tasks = (await world.tasks(job)).map(({ taskId }): [string, string] => [taskId, 'RUNNING']);
  await world.report([statusReport('a1', tasks)]);
  await world.run();
  expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('RUNNING'));
  return job;
}

const others = fleet.slice(1);
const historyOf = ({ events }: Task) => events.map(({ state }) => state).join(' ');
const viewOf = async (agentId: string) => (await world.call('GET', `/agents/${agentId}`)).body;
const killsOf = (agentId: string) =>
  world.agents.of(agentId).flatMap((command) => (command.kind === 'kill' ? command.taskIds : []));
const changes = () =>
  world.events.published.flatMap(({ detailType, detail }) =>
    detailType === 'Agent Change' ? [`${detail.agentId} ${detail.change}`] : [],
  );

describe('an agent that is lost', () => {
  it('loses its tasks at once without a policy: each LOST and replaced in one write', async () => {
    const job = await running();
    const before = await world.tasks(job);
    expect(await minute(others)).toMatchObject({ newlyLost: 0 });
    expect(await viewOf('a1')).toMatchObject({ presence: 'silent' });
    expect(await minute(others)).toMatchObject({ newlyLost: 1, held: 0 });
    expect(await viewOf('a1')).toMatchObject({ presence: 'lost', tasks: [], free: { cpuMilli: 4000 } });
    const tasks = await world.tasks(job);
    const ended = tasks.filter(({ generation }) => generation === 1);
    expect(ended.map(historyOf)).toEqual(Array(3).fill('PENDING ASSIGNED RUNNING PARTITIONED LOST'));
    expect(ended[0]?.events.at(-1)?.message).toBe('Task partitioned for too long.');
    const next = tasks.filter(({ generation }) => generation === 2);
    // Only a1 would do, and it is not there.
    expect(next.map(({ state }) => state)).toEqual(Array(3).fill('PENDING'));
    expect((await world.call('GET', `${pathOf(job)}/why`)).body.pending[0].reason).toMatchObject({
      verdict: 'waiting',
      counts: expect.arrayContaining([{ code: 'AWAY', agents: 1 }]),
    });
    // For the moment it returns: the kills wait in its queue.
    expect(killsOf('a1').sort()).toEqual(before.map(({ taskId }) => taskId).sort());
    expect(changes().filter((change) => change.startsWith('a1'))).toEqual(['a1 registered', 'a1 lost']);
    expect(await minute(others)).toMatchObject({ newlyLost: 0, unsettled: 0 });
    expect((await world.tasks(job)).length).toBe(6);
  });

  it('gets tasks again when it returns, but not while it still ends those that were replaced', async () => {
    const job = await running();
    for (let i = 0; i < 3; i++) await minute(others);
    expect(await minute(fleet, { tasks: 3 })).toMatchObject({ back: 1 });
    expect(await viewOf('a1')).toMatchObject({ presence: 'lost' });
    // An errant task that is reported is killed, whatever became of the first kill.
    const errant = (await world.tasks(job)).filter(({ generation }) => generation === 1);
    const killsBefore = killsOf('a1').length;
    await world.report([
      statusReport(
        'a1',
        errant.map(({ taskId }): [string, string] => [taskId, 'RUNNING']),
      ),
    ]);
    expect(killsOf('a1').length).toBe(killsBefore + 3);
    expect(
      (await world.tasks(job)).filter(({ generation }) => generation === 1).map(({ state }) => state),
    ).toEqual(Array(3).fill('LOST'));
    expect(await minute(fleet, { tasks: 0 })).toMatchObject({ back: 1, unsettled: 0 });
    expect(await viewOf('a1')).toMatchObject({ presence: 'present' });
    const next = (await world.tasks(job)).filter(({ generation }) => generation === 2);
    expect(next.map(({ state, agentId }) => `${state} ${agentId}`)).toEqual(Array(3).fill('ASSIGNED a1'));
    expect(changes().at(-1)).toBe('a1 returned');
  });

  it('keeps its tasks for the delay of their policy; back in time they run on', async () => {
    const job = await running({ partitionPolicy: { reschedule: true, delaySecs: 600 } });
    for (let i = 0; i < 3; i++) await minute(others);
    const parted = await world.tasks(job);
    expect(parted.map(historyOf)).toEqual(Array(3).fill('PENDING ASSIGNED RUNNING PARTITIONED'));
    expect(await minute(fleet, { tasks: 3 })).toMatchObject({ back: 1, unsettled: 0 });
    await world.report([
      statusReport(
        'a1',
        parted.map(({ taskId }): [string, string] => [taskId, 'RUNNING']),
      ),
    ]);
    world.now += 20 * 60_000;
    await world.sweep();
    expect((await world.tasks(job)).map(historyOf)).toEqual(
      Array(3).fill('PENDING ASSIGNED RUNNING PARTITIONED RUNNING'),
    );
    expect(killsOf('a1')).toEqual([]);
  });

  it('loses its tasks when the delay of their policy is over', async () => {
    const job = await running({ partitionPolicy: { reschedule: true, delaySecs: 600 } });
    for (let i = 0; i < 2; i++) await minute(others);
    // The sweep counts silence against a task only while roll calls are in time.
    for (let i = 0; i < 9; i++) await minute(others);
    world.now += 59_000;
    expect(await world.sweep()).toMatchObject({ timedOut: 0, held: 0 });
    world.now += 1_000;
    expect(await world.sweep()).toMatchObject({ timedOut: 3 });
    await world.run();
    const tasks = await world.tasks(job);
    expect(tasks.filter(({ generation }) => generation === 2)).toHaveLength(3);
    expect(killsOf('a1')).toHaveLength(3);
  });

  it('keeps its tasks for ever if their policy says so', async () => {
    const job = await running({ partitionPolicy: { reschedule: false, delaySecs: 0 } });
    for (let i = 0; i < 2; i++) await minute(others);
    world.now += 100 * 24 * 3600_000;
    for (let i = 0; i < 5; i++) await minute(others);
    expect(await world.sweep()).toMatchObject({ timedOut: 0, held: 0 });
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('PARTITIONED'));
  });

  it('ends what it was given but never took, and what it was ending', async () => {
    const job = await running();
    const [one, two] = await world.tasks(job);
    await world.call('POST', `${pathOf(job)}/kill`, { body: { instances: [[0, 0]] } });
    await world.call('POST', `${pathOf(job)}/restart`, { body: { instances: [[1, 1]] } });
    const late = submission({
      configs: [{ instances: [[0, 0]], task: makeConfig({ resources: smallResources }) }],
    });
    await world.run();
    expect([one, two].map((task) => task?.instance)).toEqual([0, 1]);
    for (const agentId of others) {
      // The others are full, so a1 gets it.
      await world.report([{ ...registration(agentId, { capacity: tiny }) }]);
    }
    await world.call('POST', pathOf(late), { body: late });
    await world.run();
    expect((await world.tasks(late))[0]).toMatchObject({ state: 'ASSIGNED', agentId: 'a1' });
    for (let i = 0; i < 2; i++) await minute(others);
    const tasks = await world.tasks(job);
    expect(tasks.filter(({ instance }) => instance === 0).map(historyOf)).toEqual([
      'PENDING ASSIGNED RUNNING KILLING PARTITIONED LOST',
    ]);
    expect(tasks.filter(({ instance }) => instance === 1).map(historyOf)).toEqual([
      'PENDING ASSIGNED RUNNING RESTARTING PARTITIONED LOST',
      'PENDING',
    ]);
    expect((await world.tasks(late)).map(historyOf)).toEqual(['PENDING ASSIGNED LOST', 'PENDING']);
  });
});

const tiny = { cpuMilli: 1, ramMb: 1, diskMb: 1, gpus: [], portRange: [31_000, 32_000] as [number, number] };

describe('nobody is lost', () => {
  it('when most of the fleet falls silent at once; an alarm and the API say so; it ends by itself', async () => {
    const job = await running();
    for (let i = 0; i < 5; i++) await minute(['a3', 'a4']);
    expect(world.meter.counts.get('AgentsHeld')).toBeGreaterThan(0);
    expect(world.meter.counts.get('AgentsLost')).toBeUndefined();
    const { body } = await world.call('GET', '/agents');
    expect(body.hold).toMatchObject({ reason: 'MASS', silent: 2, agents: 4 });
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('RUNNING'));
    await minute(fleet);
    expect((await world.call('GET', '/agents')).body).not.toHaveProperty('hold');
  });

  it('when the heartbeats are late: the probe of the roll call is late with them', async () => {
    const job = await running();
    beats.isLate = true;
    for (let i = 0; i < 5; i++) await minute(fleet);
    expect((await world.call('GET', '/agents')).body.hold).toMatchObject({ reason: 'LATE' });
    beats.deliverLate();
    for (let i = 0; i < 3; i++) expect(await minute(fleet)).toMatchObject({ newlyLost: 0, held: 0 });
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('RUNNING'));
  });

  it.each<[string, Partial<Store>]>([
    ['cannot be read', { getRoster: () => Promise.reject(new Error('throttled')) }],
    ['cannot be written', { putRoster: () => Promise.reject(new Error('throttled')) }],
  ])('when the roster %s for a while: no heartbeat is forgotten', async (_what, breaking) => {
    const job = await running();
    for (let i = 0; i < 4; i++) {
      world.now += 60_000;
      beats.beat(fleet, world.now - 10_000);
      await expect(call(breaking)).rejects.toThrow('throttled');
      beats.reappear();
    }
    expect(beats.size).toBeGreaterThanOrEqual(16);
    for (let i = 0; i < 3; i++) expect(await minute(fleet)).toMatchObject({ newlyLost: 0, held: 0 });
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('RUNNING'));
  });

  it('when roll calls stay incomplete; that is counted although everybody is heard', async () => {
    await running();
    const counted = world.meter.counts.get('RollCallsIncomplete') ?? 0;
    await minute(fleet);
    expect(world.meter.counts.get('RollCallsIncomplete') ?? 0).toBe(counted);
    beats.losesProbes = true;
    for (let i = 0; i < 4; i++) expect(await minute(fleet)).toMatchObject({ heard: 4, held: 0 });
    beats.losesProbes = false;
    for (let i = 0; i < 2; i++) await minute(fleet);
    // The first found the probe of before; the last but one misses that of the last one whose probe was lost.
    expect(world.meter.counts.get('RollCallsIncomplete')).toBe(counted + 4);
    expect(world.meter.counts.get('AgentsHeld')).toBeUndefined();
    expect(world.log.lines.filter(({ message }) => message.includes('not heard in time'))).toHaveLength(4);
  });

  it('when there is no time to empty the queue', async () => {
    await running();
    await minute(others);
    world.now += 60_000;
    beats.beat(others, world.now - 1000);
    expect(await call({}, 20_000)).toMatchObject({ heard: 0, newlyLost: 0, held: 1 });
  });
});

describe('a roll call that fails half way', () => {
  it.each<[string, Partial<Store>]>([
    ['the row of the agent', { setAgentLost: () => Promise.reject(new Error('down')) }],
    ['the tasks', { transitionAll: () => Promise.reject(new Error('down')) }],
    ['the list of tasks', { listOnAgent: () => Promise.reject(new Error('down')) }],
  ])('at %s is carried on by the next', async (_what, breaking) => {
    const job = await running();
    await minute(others);
    world.now += 60_000;
    beats.beat(others, world.now - 5000);
    expect(await call(breaking)).toMatchObject({ newlyLost: 1, unsettled: 1 });
    await minute(others);
    expect((await world.tasks(job)).filter(({ state }) => state === 'LOST')).toHaveLength(3);
    expect(await viewOf('a1')).toMatchObject({ presence: 'lost' });
  });

  it('after the return of an agent was decided leaves it lost until it is heard again', async () => {
    await running();
    for (let i = 0; i < 3; i++) await minute(others);
    world.now += 60_000;
    beats.beat(fleet, world.now - 5000);
    await call({ setAgentLost: () => Promise.reject(new Error('down')) });
    expect(await viewOf('a1')).toMatchObject({ presence: 'lost' });
    await minute(fleet);
    expect(await viewOf('a1')).toMatchObject({ presence: 'present' });
  });

  it('between the return in the row of an agent and the roster is finished by the next', async () => {
    await running();
    for (let i = 0; i < 3; i++) await minute(others);
    world.now += 60_000;
    beats.beat(fleet, world.now - 5000);
    let stored = 0;
    // The first stores what was heard, the last what was carried out.
    const putRoster: Store['putRoster'] = (...input) =>
      stored++ === 0 ? world.store.putRoster(...input) : Promise.reject(new Error('killed'));
    await call({ putRoster }).catch(() => undefined);
    expect(stored).toBeGreaterThan(1);
    expect((await world.store.getAgent('a1'))?.agent.lostAt).toBeUndefined();
    expect((await world.store.getRoster())?.agents.get('a1')).toHaveProperty('lostAt');
    await minute(fleet);
    expect((await world.store.getRoster())?.agents.get('a1')).not.toHaveProperty('lostAt');
    expect(await viewOf('a1')).toMatchObject({ presence: 'present' });
  });

  it('two at once hear each agent once and keep the roster whole', async () => {
    await running();
    world.now += 60_000;
    beats.beat(fleet, world.now - 5000);
    await Promise.all([call(), call()]);
    const roster = await world.store.getRoster();
    expect([...(roster?.agents.values() ?? [])].map(({ seenAt }) => seenAt)).toEqual(
      Array(4).fill(world.now - 5000),
    );
  });
});

it('a cluster without agents is looked at and nothing else', async () => {
  await call();
  const before = await world.store.getRoster();
  const receive = vi.spyOn(beats, 'receive');
  for (let i = 0; i < 3; i++) expect(await minute([])).toMatchObject({ agents: 0 });
  expect(receive).not.toHaveBeenCalled();
  expect(await world.store.getRoster()).toEqual(before);
  await world.report([registration('a1')]);
  expect(await minute(['a1'])).toMatchObject({ agents: 1, heard: 1 });
});

describe('the census of agents', () => {
  it('comes after the queue, whose time it must not take, and reads no ledgers', async () => {
    await running();
    world.now += 5 * 60_000;
    beats.beat(fleet, world.now - 5_000);
    const order: string[] = [];
    const receive = beats.receive.bind(beats);
    beats.receive = () => {
      order.push('queue');
      return receive();
    };
    const never = () => Promise.reject(new Error('not asked'));
    const over: Partial<Store> = {
      listAgents: never,
      loadPool: never,
      getAgent: never,
      listRegistered: (...page) => {
        order.push('census');
        return world.store.listRegistered(...page);
      },
    };
    expect(await call(over, 55_000, 'none')).toMatchObject({ heard: 4, agents: 4 });
    expect(order.at(-1)).toBe('census');
    expect(order.indexOf('census')).toBeGreaterThan(order.lastIndexOf('queue'));
  });

  it('is not waited for where nobody is: one look and no waiting for the queue', async () => {
    await call();
    const never = () => Promise.reject(new Error('not asked'));
    beats.receive = never;
    expect(await call()).toMatchObject({ agents: 0, heard: 0 });
    await world.report([registration('a1')]);
    await expect(call()).rejects.toThrow('not asked');
  });
});

describe('heartbeats of others', () => {
  it('in the name of a dead agent do not keep it alive', async () => {
    await world.report(
      fleet.map((agentId) => registration(agentId)),
      'AROA:owner',
    );
    // What the store of this world has no owner for is told apart by its registration.
    for (const agentId of fleet) await world.store.bindAgent(agentId, `AROA:${agentId}`);
    const beat = (agentId: string, sender: string) => {
      const report = { v: 1, kind: 'heartbeat', agentId, sessionId: 's1', sentAt: 1 };
      beats.put(report, world.now - 5000, sender);
    };
    const round = async (forged: boolean) => {
      world.now += 60_000;
      for (const agentId of others) beat(agentId, `AROA:${agentId}`);
      beat('a1', forged ? 'AROA:a2' : 'AROA:a1');
      return call({}, 55_000, 'bound');
    };
    for (let i = 0; i < 4; i++) expect(await round(false)).toMatchObject({ heard: 4 });
    expect(await round(true)).toMatchObject({ heard: 3, newlyLost: 0 });
    expect(await round(true)).toMatchObject({ heard: 3, newlyLost: 1 });
    expect(world.meter.counts.get('ForeignReports')).toBe(2);
  });

  it('are heard with the next roll call when their owners can not be read', async () => {
    await running();
    await world.report([registration('new')]);
    await world.store.bindAgent('new', 'AROA:new');
    world.now += 60_000;
    beats.put({ v: 1, kind: 'heartbeat', agentId: 'new', sessionId: 's', sentAt: 1 }, world.now, 'AROA:new');
    const down = {
      getAgent: () => Promise.reject(new Error('down')),
      listRegistered: async () => ({ items: [] }),
    };
    expect(await call(down, 55_000, 'bound')).toMatchObject({ heard: 0 });
    beats.reappear();
    expect(await call({}, 55_000, 'bound')).toMatchObject({ heard: 1 });
  });
});

it('a message that is no heartbeat is dropped and counted', async () => {
  await running();
  beats.put('{', world.now);
  beats.put({ v: 1, kind: 'status' }, world.now);
  await minute(fleet);
  expect(world.meter.counts.get('MalformedHeartbeats')).toBe(2);
  // What is left is the probe.
  expect(beats.size).toBe(1);
});
