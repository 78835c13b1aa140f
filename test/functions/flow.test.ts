// The functions together, on the real store: from the API call to the launch, to the end, to the successor.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../shared/model/task.ts';
import { makeConfig } from '../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
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

const ids = (tasks: readonly Task[]) => tasks.map(({ taskId }) => taskId);
const states = (tasks: readonly Task[]) => tasks.map(({ state }) => state).sort();

async function submitAndRun(over = {}, task = {}) {
  const job = submission(over, task);
  const created = await world.call('POST', pathOf(job), { body: job });
  expect(created.status, JSON.stringify(created.body)).toBe(201);
  await world.run();
  return job;
}

describe('the main path', () => {
  it('submits, places, launches, runs and finishes a batch job, and gives its room back', async () => {
    await world.report([registration('a1')]);
    const job = await submitAndRun({}, { service: false });
    const assigned = await world.tasks(job);
    expect(states(assigned)).toEqual(['ASSIGNED', 'ASSIGNED', 'ASSIGNED']);

    const launched = world.agents
      .of('a1')
      .flatMap((command) => (command.kind === 'launch' ? command.tasks : []));
    expect(launched.map(({ taskId }) => taskId).sort()).toEqual(ids(assigned).sort());
    expect(launched[0]?.config.processes[0]?.cmdline).toBe('echo hello');
    const desired = await world.call('GET', '/agents/a1/tasks');
    expect(desired.body.tasks.map(({ run }: { run: boolean }) => run)).toEqual([true, true, true]);

    world.now += 1000;
    const reports = assigned.map(({ taskId }): [string, string] => [taskId, 'STARTING']);
    const running = assigned.map(({ taskId }): [string, string] => [taskId, 'RUNNING']);
    expect(await world.report([statusReport('a1', reports), statusReport('a1', running)])).toEqual([]);
    expect(states(await world.tasks(job))).toEqual(['RUNNING', 'RUNNING', 'RUNNING']);
    const [first] = await world.tasks(job);
    expect(first?.events.map(({ state }) => state)).toEqual(['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING']);

    world.now += 600_000;
    await world.report([
      statusReport(
        'a1',
        assigned.map(({ taskId }): [string, string] => [taskId, 'FINISHED']),
      ),
    ]);
    await world.run();
    expect(states(await world.tasks(job))).toEqual(['FINISHED', 'FINISHED', 'FINISHED']);
    const agent = await world.call('GET', '/agents/a1');
    expect(agent.body.free.cpuMilli).toBe(4000);
    expect(agent.body.tasks).toEqual([]);
    const seen = world.events.published.flatMap((event) =>
      event.detailType === 'Task State Change' && event.detail.taskId === first?.taskId
        ? [`${event.detail.from}>${event.detail.to}`]
        : [],
    );
    expect(seen).toEqual([
      'null>PENDING',
      'PENDING>ASSIGNED',
      'ASSIGNED>STARTING',
      'STARTING>RUNNING',
      'RUNNING>FINISHED',
    ]);
    expect(world.events.published.at(-1)).toMatchObject({
      detailType: 'Job Ended',
      detail: { name: job.name, outcome: 'succeeded', instances: { finished: 3, failed: 0 } },
    });
    expect(world.events.published.filter(({ detailType }) => detailType === 'Job Ended')).toHaveLength(1);
  });

  it('tells that a job has ended when it is killed before any task of it had an agent', async () => {
    const job = await submitAndRun({}, { service: true });
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    expect(world.events.published.at(-1)).toMatchObject({
      detailType: 'Job Ended',
      detail: { name: job.name, specVersion: 2, outcome: 'killed' },
    });
  });

  it('replaces what ends of a service, in the room that became free', async () => {
    await world.report([registration('a1')]);
    const job = await submitAndRun({}, { resources: { ...smallResources, cpuMilli: 1300 } });
    const before = await world.tasks(job);
    world.now += 600_000;
    await world.report([statusReport('a1', [[before[0]?.taskId ?? '', 'FAILED', 'exit 1']])]);
    await world.run();
    const after = await world.tasks(job);
    expect(states(after)).toEqual(['ASSIGNED', 'ASSIGNED', 'ASSIGNED', 'FAILED']);
    const successor = after.find(({ generation }) => generation === 2);
    expect(successor).toMatchObject({ state: 'ASSIGNED', ancestorId: before[0]?.taskId, failureCount: 1 });
  });

  it('places waiting tasks when an agent appears, best priority first', async () => {
    const low = await submitAndRun({}, { priority: 1 });
    const high = await submitAndRun({}, { priority: 9 });
    const why = await world.call('GET', `${pathOf(low)}/why`, { query: { agents: 'true' } });
    expect(why.body.pending[0].reason.counts).toEqual([{ code: 'NO_AGENTS', agents: 0 }]);
    await world.report([registration('a1')]);
    await world.run();
    expect(states(await world.tasks(high))).toEqual(['ASSIGNED', 'ASSIGNED', 'ASSIGNED']);
    expect(states(await world.tasks(low))).toEqual(['ASSIGNED', 'PENDING', 'PENDING']);
    const full = await world.call('GET', `${pathOf(low)}/why`, { query: { agents: 'true' } });
    expect(full.body.pending[0]).toMatchObject({
      instances: [[1, 2]],
      reason: { verdict: 'waiting', counts: [{ code: 'CPU', agents: 1 }] },
      agents: [{ agentId: 'a1', reasons: [{ code: 'CPU', needed: 1000, available: 0 }] }],
    });
  });

  it('kills: waiting tasks vanish, running ones are told to end and are not replaced', async () => {
    await world.report([registration('a1')]);
    const job = await submitAndRun({
      configs: [{ instances: [[0, 5]], task: makeConfig({ resources: smallResources }) }],
    });
    expect(states(await world.tasks(job)).filter((state) => state === 'PENDING')).toHaveLength(2);
    const killed = await world.call('POST', `${pathOf(job)}/kill`, {
      body: { message: 'enough' },
      userArn: 'arn:aws:iam::1:user/me',
    });
    expect(killed.status).toBe(202);
    await world.run();
    const killing = await world.tasks(job);
    expect(states(killing)).toEqual(['KILLING', 'KILLING', 'KILLING', 'KILLING']);
    expect(killing[0]?.events.at(-1)?.message).toBe('Killed by arn:aws:iam::1:user/me.\nenough');
    const told = world.agents.of('a1').flatMap((command) => (command.kind === 'kill' ? command.taskIds : []));
    expect(told.sort()).toEqual(ids(killing).sort());

    world.agents.sent.length = 0;
    world.now += 30_000;
    await world.fireTimers();
    expect(world.agents.of('a1')).toHaveLength(4);

    await world.report([
      statusReport(
        'a1',
        killing.map(({ taskId }): [string, string] => [taskId, 'KILLED']),
      ),
    ]);
    await world.run();
    expect(states(await world.tasks(job))).toEqual(['KILLED', 'KILLED', 'KILLED', 'KILLED']);
    expect((await world.call('GET', '/agents/a1')).body.tasks).toEqual([]);
    expect((await world.call('GET', pathOf(job))).body.job).toMatchObject({ instances: 0, reconciled: true });
  });

  it('creates a killed job anew only when the old tasks have ended', async () => {
    await world.report([registration('a1')]);
    const job = await submitAndRun();
    const old = await world.tasks(job);
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(201);
    await world.run();
    expect(states(await world.tasks(job))).toEqual(['KILLING', 'KILLING', 'KILLING']);
    await world.report([
      statusReport(
        'a1',
        old.map(({ taskId }): [string, string] => [taskId, 'KILLED']),
      ),
    ]);
    await world.run();
    expect(states(await world.tasks(job))).toEqual([
      'ASSIGNED',
      'ASSIGNED',
      'ASSIGNED',
      'KILLED',
      'KILLED',
      'KILLED',
    ]);
  });

  it('restarts active instances and refuses others', async () => {
    await world.report([registration('a1')]);
    const job = await submitAndRun();
    const refused = await world.call('POST', `${pathOf(job)}/restart`, { body: { instances: [[2, 4]] } });
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(refused.body.detail).toContain('3-4');
    world.now += 1000;
    await world.call('POST', `${pathOf(job)}/restart`, { body: { instances: [[1, 1]] } });
    await world.run();
    const restarting = (await world.tasks(job)).find(({ state }) => state === 'RESTARTING');
    expect(restarting?.instance).toBe(1);
    await world.report([statusReport('a1', [[restarting?.taskId ?? '', 'KILLED']])]);
    await world.run();
    const after = (await world.tasks(job)).filter(({ instance }) => instance === 1);
    expect(after.map(({ state, generation }) => `${generation} ${state}`).sort()).toEqual([
      '1 KILLED',
      '2 ASSIGNED',
    ]);
  });

  it('adds instances with the config of an existing one', async () => {
    await world.report([
      registration('a1', { capacity: { ...registration('a1').offer.capacity, cpuMilli: 64_000 } }),
    ]);
    const job = await submitAndRun();
    const added = await world.call('POST', `${pathOf(job)}/instances`, { body: { count: 4 } });
    expect(added.body.job.instances).toBe(7);
    await world.run();
    expect(new Set((await world.tasks(job)).map(({ instance }) => instance))).toEqual(
      new Set([0, 1, 2, 3, 4, 5, 6]),
    );
  });
});

describe('redelivery', () => {
  it('of every message and every stream record changes no row', async () => {
    await world.report([registration('a1'), registration('a2')]);
    const job = await submitAndRun();
    const [one, two] = await world.tasks(job);
    world.now += 600_000;
    const reports = [
      statusReport(one?.agentId ?? '', [[one?.taskId ?? '', 'RUNNING']]),
      statusReport(two?.agentId ?? '', [[two?.taskId ?? '', 'FAILED']]),
    ];
    await world.report(reports);
    await world.run();
    await world.call('POST', `${pathOf(job)}/kill`, { body: { instances: [[2, 2]] } });
    await world.run();
    const before = await world.dump();
    await world.redeliver();
    expect(await world.report(reports)).toEqual([]);
    await world.run();
    expect(await world.dump()).toEqual(before);
  });
});

describe('a job of 10,000 instances', () => {
  it('whose creation crashes half way is completed by the next delivery', async () => {
    const job = submission({
      configs: [{ instances: [[0, 9_999]], task: makeConfig({ resources: smallResources }) }],
    });
    expect((await world.call('POST', pathOf(job), { body: job })).status).toBe(201);
    let inserts = 0;
    const crashing = world.reconcile(job, {
      insertTasks: (tasks) => {
        inserts++;
        if (inserts > 4) throw new Error('crash');
        return world.store.insertTasks(tasks);
      },
    });
    await expect(crashing).rejects.toThrow('crash');
    const half = (await world.tasks(job)).length;
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(10_000);
    expect(await world.reconcile(job)).toBe('done');
    const tasks = await world.tasks(job);
    expect(tasks).toHaveLength(10_000);
    expect(new Set(tasks.map(({ instance }) => instance)).size).toBe(10_000);
    expect(await world.store.getJob(job)).toMatchObject({ specVersion: 1, reconciledVersion: 1 });

    const first = await world.call('GET', pathOf(job), { query: { limit: '1000' } });
    expect(first.body.counts).toEqual({ pending: 10_000, active: 0, finished: 0, failed: 0 });
    const seen = first.body.tasks.map(({ instance }: { instance: number }) => instance);
    const second = await world.call('GET', pathOf(job), {
      query: { limit: '1000', cursor: first.body.nextCursor },
    });
    seen.push(...second.body.tasks.map(({ instance }: { instance: number }) => instance));
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, index) => index));
  }, 120_000);
});
