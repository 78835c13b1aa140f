// A row that cannot be read, or is gone where it should be, costs what it is about and nothing else.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drainTimer } from '../../functions/messages.ts';
import type { Task } from '../../shared/model/task.ts';
import { agentKeyOf, ledgerKeyOf, taskKeyOf } from '../../shared/store/keys.ts';
import { makeConfig, t0 } from '../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
  queues,
  registration,
  smallResources,
  statusReport,
  submission,
  type World,
} from './support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

const called = () => ({
  getRoster: async () => ({
    version: 1,
    calledAt: world.now,
    trustedSince: 0,
    censusAt: 0,
    agents: new Map(),
  }),
});

async function submitted(instances: number, resources = smallResources) {
  const job = submission({
    configs: [{ instances: [[0, instances - 1]], task: makeConfig({ resources }) }],
  });
  await world.call('POST', pathOf(job), { body: job });
  return job;
}

/** Every task of a job that can be read. */
const readable = (job: Awaited<ReturnType<typeof submitted>>) =>
  world.store.listTasks(job, [0, 99], () => {});

/** From now on the task makes no sense; the stream's record of that is passed over. */
async function spoil(task: Task) {
  await world.spoil(taskKeyOf(task), { r: 'not a list' });
}

describe('a task that cannot be read', () => {
  it('is left out of the sweep, which ends the others and says so', async () => {
    await world.report([registration('a1')]);
    const job = await submitted(3);
    await world.run();
    const [first] = await world.tasks(job);
    await spoil(first as Task);
    world.now = t0 + 5 * 60_000;
    expect(await world.sweep(called())).toMatchObject({ timedOut: 2, complete: true });
    const left = await readable(job);
    expect(left.filter(({ state }) => state === 'LOST')).toHaveLength(2);
    expect(world.meter.counts.get('UnreadableRows')).toBeGreaterThan(0);
    expect(JSON.stringify(world.log.lines)).not.toContain('not a list');
  });

  it('keeps neither the others of a batch from being reported on, nor is it killed', async () => {
    await world.report([registration('a1')]);
    const job = await submitted(3);
    await world.run();
    const [first, second] = (await world.tasks(job)) as [Task, Task];
    await spoil(first);
    world.agents.sent.length = 0;
    const bodies = [first, second].map(({ taskId }) => statusReport('a1', [[taskId, 'STARTING']]));
    expect(await world.report(bodies)).toHaveLength(1);
    expect(await world.store.getTask(second.taskId)).toMatchObject({ state: 'STARTING' });
    expect(world.agents.of('a1')).toEqual([]);
  });

  it('keeps the others of its job from nothing when the job is scaled down or killed', async () => {
    const job = await submitted(3);
    await world.run();
    const [first] = (await world.tasks(job)) as [Task];
    await spoil(first);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await expect(world.reconcile(job)).rejects.toThrow(/cannot be read/);
    expect(await readable(job)).toEqual([]);
  });

  it('is not taken for one that is missing: nothing is created in its place', async () => {
    const job = await submitted(2);
    await world.reconcile(job);
    const [first] = (await world.tasks(job)) as [Task];
    await spoil(first);
    await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 2 } });
    await expect(world.reconcile(job)).rejects.toThrow(/cannot be read/);
    expect((await readable(job)).map(({ instance }) => instance)).toEqual([1, 2, 3]);
  });

  it('keeps its pool from nothing while it waits', async () => {
    const job = await submitted(3);
    await world.run();
    await spoil((await world.tasks(job))[0] as Task);
    await world.report([registration('a1')]);
    expect(await world.match('default')).toMatchObject({ assigned: 2, complete: true });
    expect(world.meter.counts.get('UnreadableInPool')).toBe(1);
  });

  it('keeps its agent from being emptied of the others, and from being taken for empty', async () => {
    await world.report([registration('a1')]);
    const job = await submitted(3);
    await world.run();
    await spoil((await world.tasks(job))[0] as Task);
    await world.call('POST', '/agents/a1/drain', { body: { deadlineSecs: 0 } });
    await world.messages.send(queues.timers, [drainTimer(world.now)]);
    expect(await world.drain()).toMatchObject({ draining: 1, moved: 2, drained: 0 });
  });
});

describe('an agent that cannot be read', () => {
  it.each([
    ['its row', agentKeyOf, { j: '{' }],
    ['its ledger', ledgerKeyOf, { v: 'many' }],
  ])('gets no tasks, the others do (%s)', async (_what, keyOf, wrong) => {
    await world.report([registration('a1'), registration('a2')]);
    await world.spoil(keyOf('a1'), wrong);
    const job = await submitted(3);
    await world.reconcile(job);
    expect(await world.match('default')).toMatchObject({ assigned: 3 });
    expect((await world.tasks(job)).map(({ agentId }) => agentId)).toEqual(['a2', 'a2', 'a2']);
  });
});

describe('a task whose config is gone', () => {
  it('is LOST when it should be launched, with the reason, and holds up no other launch', async () => {
    await world.report([registration('a1')]);
    const gone = await submitted(1);
    const kept = await submitted(1, { ...smallResources, ramMb: 64 });
    await world.reconcile(gone);
    await world.reconcile(kept);
    const [task] = (await world.tasks(gone)) as [Task];
    await world.spoil(taskKeyOf(task), { c: 'gone' });
    await world.match('default');
    await world.run();
    const [lost] = await world.tasks(gone);
    expect(lost).toMatchObject({ state: 'LOST', generation: 1 });
    expect(lost?.events.at(-1)?.message).toContain('is gone: submit the job again');
    const launched = world.agents
      .of('a1')
      .flatMap((command) => (command.kind === 'launch' ? command.tasks.map(({ name }) => name) : []));
    expect(launched).toEqual([kept.name]);
    // Its place is free again, and it is tried again ever more slowly.
    expect((await world.store.getAgent('a1'))?.ledger.live).toHaveLength(1);
    expect((await world.tasks(gone)).at(-1)).toMatchObject({ state: 'THROTTLED' });
  });
});
