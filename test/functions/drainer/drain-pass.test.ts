// Emptying agents, through the real store, API, stream consumer and matcher: what runs moves elsewhere within the budget
// of its job, what waits says why, an empty agent is said to be empty, and one taken back is used again.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobKey } from '../../../shared/model/job-key.ts';
import { isTerminal, type Task } from '../../../shared/model/task.ts';
import type { Store } from '../../../shared/store/port.ts';
import { t0 } from '../../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
  queues,
  registration,
  statusReport,
  submission,
  type World,
} from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.stop());

/** A job whose instances all run on `agentId`, since long. */
async function runningOn(agentId: string, instances: number, service = true): Promise<JobKey> {
  await world.report([registration(agentId)]);
  const job = submission({}, { service });
  const configs = job.configs.map((config) => ({
    ...config,
    instances: [[0, instances - 1]] as [[number, number]],
  }));
  await world.call('POST', pathOf(job), { body: { ...job, configs } });
  await world.run();
  const tasks = await live(job);
  await world.report([statusReport(agentId, statesOf(tasks, 'RUNNING'))]);
  await world.run();
  world.now += 60_000;
  return job;
}

const statesOf = (tasks: readonly Task[], state: string) =>
  tasks.map(({ taskId }) => [taskId, state] as const);

async function live(job: JobKey): Promise<readonly Task[]> {
  return (await world.tasks(job)).filter(({ state }) => !isTerminal(state));
}

async function states(job: JobKey): Promise<string[]> {
  const tasks = await live(job);
  return tasks.map(({ instance, agentId, state }) => `${instance} ${state} ${agentId ?? '-'}`);
}

async function drain(agentId: string, body: Record<string, unknown> = {}) {
  const answer = await world.call('POST', `/agents/${agentId}/drain`, { body });
  await world.run();
  return answer;
}

const status = async (agentId: string) => (await world.call('GET', `/agents/${agentId}/drain`)).body;

/** The agent ends what it is told to end. */
async function obeyKills(agentId: string, job: JobKey): Promise<void> {
  const ending = (await live(job)).filter((task) => task.agentId === agentId && task.state === 'DRAINING');
  if (ending.length > 0) await world.report([statusReport(agentId, statesOf(ending, 'KILLED'))]);
  await world.run();
}

describe('an agent that is to be emptied', () => {
  it('gets nothing new, loses one of two copies at a time, and is empty at the end', async () => {
    const job = await runningOn('a1', 2);
    const answer = await drain('a1', { reason: 'new kernel' });
    expect([answer.status, answer.body.mode, answer.body.drain.requestedBy]).toEqual([
      202,
      'DRAINING',
      'UNSECURE',
    ]);
    await world.report([registration('a2')]);
    await world.run();

    expect(await world.drain()).toEqual({ draining: 1, moved: 1, forced: 0, held: 1, drained: 0 });
    await world.run();
    expect(await states(job)).toEqual(['0 DRAINING a1', '1 RUNNING a1']);
    const [first] = await live(job);
    expect(first?.events.at(-1)?.message).toBe('Draining machine for maintenance.\nnew kernel');
    const kills = world.agents.of('a1').filter(({ kind }) => kind === 'kill');
    expect(kills).toEqual([{ v: 1, kind: 'kill', taskIds: [first?.taskId] }]);

    await obeyKills('a1', job);
    expect(await states(job)).toEqual(['0 ASSIGNED a2', '1 RUNNING a1']);
    // Its replacement is not up yet.
    expect(await world.drain()).toMatchObject({ moved: 0, held: 1 });
    expect((await status('a1')).tasks).toMatchObject([
      { state: 'RUNNING', hold: { kind: 'AVAILABILITY', total: 2, up: 1, allowedDown: 1 } },
    ]);
    const moved = (await live(job)).filter(({ agentId }) => agentId === 'a2');
    await world.report([statusReport('a2', statesOf(moved, 'RUNNING'))]);
    world.now += 29_000;
    expect(await world.drain()).toMatchObject({ moved: 0, held: 1 });
    world.now += 1_000;
    expect(await world.drain()).toMatchObject({ moved: 1, held: 0 });
    await world.run();
    await obeyKills('a1', job);
    expect(await states(job)).toEqual(['0 RUNNING a2', '1 ASSIGNED a2']);

    expect(await world.drain()).toMatchObject({ draining: 1, drained: 1 });
    await world.run();
    expect(await status('a1')).toMatchObject({ mode: 'DRAINED', drain: { reason: 'new kernel' }, tasks: [] });
    expect(world.events.published.at(-1)).toMatchObject({
      detailType: 'Agent Change',
      detail: { agentId: 'a1', mode: 'DRAINED' },
    });
    // Nothing is left to do, and nobody is woken for it.
    expect(await world.drain()).toBeUndefined();
  });

  it('loses what it can in the time there is; another pass, which begins elsewhere, the rest', async () => {
    const jobs = [await runningOn('a1', 4), await runningOn('a2', 4), await runningOn('a3', 4)];
    for (const agentId of ['a1', 'a2', 'a3']) await drain(agentId, { percentage: 0 });
    const leaving = async () => {
      const tasks = await Promise.all(jobs.map(live));
      return tasks.flat().filter(({ state }) => state === 'DRAINING').length;
    };
    for (const expected of [4, 8, 12]) {
      let groups = 1;
      expect(await world.drain({}, () => (groups-- > 0 ? 60_000 : 1_000), 1)).toMatchObject({
        draining: 3,
        moved: 4,
      });
      expect(await leaving()).toBe(expected);
      world.now += 5_000;
    }
  });

  it('loses its tasks whatever is wrong with another agent', async () => {
    const job = await runningOn('a1', 4);
    await runningOn('a2', 4);
    for (const agentId of ['a1', 'a2']) await drain(agentId, { percentage: 0 });
    const down: Partial<Store> = {
      listOnAgent: (agentId, aside) =>
        agentId === 'a2' ? Promise.reject(new Error('down')) : world.store.listOnAgent(agentId, aside),
    };
    await expect(world.drain(down)).rejects.toThrow('down');
    expect(await states(job)).toEqual([0, 1, 2, 3].map((instance) => `${instance} DRAINING a1`));
  });

  it.each([
    ['in one group', undefined],
    ['each in a group of its own', 1],
  ])(
    'spends the budget of a job once, though two of its agents are being emptied %s',
    async (_name, agentsAtOnce) => {
      const job = await runningOn('a1', 4);
      await drain('a1', { percentage: 75 });
      await world.report([registration('a2')]);
      await world.drain();
      await world.run();
      await obeyKills('a1', job);
      const [moved] = (await live(job)).filter(({ agentId }) => agentId === 'a2');
      await world.report([statusReport('a2', statesOf(moved ? [moved] : [], 'RUNNING'))]);
      world.now += 60_000;
      await drain('a2', { percentage: 75 });
      await world.report([registration('a3')]);
      await world.run();
      expect(await world.drain({}, undefined, agentsAtOnce)).toMatchObject({
        draining: 2,
        moved: 1,
        held: 3,
      });
    },
  );

  it('lets batch work finish, and ends it at the deadline; the sweep wakes a drainer that was forgotten', async () => {
    const job = await runningOn('a1', 1, false);
    await drain('a1', { deadlineSecs: 600 });
    expect(await world.drain()).toMatchObject({ moved: 0, held: 1 });
    expect((await status('a1')).tasks).toMatchObject([{ hold: { kind: 'BATCH' } }]);
    world.now += 600_000;
    world.messages.take(queues.timers);
    expect(await world.drain()).toBeUndefined();
    expect((await status('a1')).tasks).toMatchObject([{ hold: null }]);
    const { wakeDrainer } = await import('../../../functions/sweeper/wake-drainer.ts');
    const { store, messages } = world;
    await wakeDrainer({ store, messages, timersQueueUrl: queues.timers, clock: () => world.now });
    expect(await world.drain()).toMatchObject({ moved: 1, forced: 1, held: 0 });
    expect(await states(job)).toEqual(['0 DRAINING a1']);
  });

  it('is emptied at once when no time is given', async () => {
    const job = await runningOn('a1', 4);
    await drain('a1', { deadlineSecs: 0 });
    expect(await world.drain()).toMatchObject({ moved: 4, forced: 4 });
    expect((await live(job)).every(({ state }) => state === 'DRAINING')).toBe(true);
  });

  it('keeps its tasks when the drain is called off, and gets new ones', async () => {
    const job = await runningOn('a1', 2);
    await drain('a1');
    const undrained = await world.call('POST', '/agents/a1/undrain', { body: {} });
    expect([undrained.status, undrained.body.mode, undrained.body.drain]).toEqual([200, 'NONE', null]);
    await world.run();
    expect(await world.drain()).toMatchObject({ draining: 0, moved: 0 });
    expect(await states(job)).toEqual(['0 RUNNING a1', '1 RUNNING a1']);
    expect((await world.call('GET', '/agents/a1/drain')).status).toBe(404);
    await runningOn('a1', 1);
  });

  it('makes one pass for all wake-ups of one moment, a whole pause after each of them', async () => {
    await runningOn('a1', 1);
    await runningOn('a2', 1);
    const timers = () => world.messages.sent.filter(({ queueUrl }) => queueUrl === queues.timers);
    const passedOn = () =>
      world.messages.sent.flatMap(({ message: { groupId, deduplicationId } }) =>
        groupId === 'agents' ? [deduplicationId] : [],
      );
    world.now = Math.ceil(world.now / 5_000) * 5_000;
    await drain('a1');
    world.now += 4_999;
    await drain('a2');
    expect(timers().map(({ message }) => message.delaySeconds)).toEqual([5, 5]);
    await world.fireTimers();
    world.now += 1;
    await drain('a1');
    await world.fireTimers();
    const [first, second] = passedOn();
    expect(new Set(passedOn())).toEqual(new Set([first, second]));
    expect(first).not.toBe(second);
  });
});

describe('an agent that says its machine will go', () => {
  const leaving = (over: Record<string, unknown> = {}) => ({
    v: 1,
    agentId: 'a1',
    sessionId: 's1',
    sentAt: world.now,
    kind: 'leaving',
    reason: 'spot interruption',
    ...over,
  });

  it('is emptied within the budget for 45 of its 120 seconds, then by force', async () => {
    await runningOn('a1', 3);
    expect(await world.report([leaving({ terminatesAt: world.now + 120_000 })])).toEqual([]);
    await world.run();
    expect(await world.drain()).toMatchObject({ moved: 1, forced: 0, held: 2 });
    world.now += 45_000;
    expect(await world.drain()).toMatchObject({ moved: 2, forced: 2 });
    expect((await status('a1')).drain).toMatchObject({
      reason: 'spot interruption',
      requestedBy: 'agent a1',
    });
  });

  it('may say so again and again; only an earlier end changes anything', async () => {
    await runningOn('a1', 1);
    await world.report([leaving()]);
    const first = (await status('a1')).drain;
    expect(Date.parse(first.deadlineAt)).toBe(world.now + 30 * 60_000);
    world.now += 10_000;
    await world.report([leaving()]);
    expect((await status('a1')).drain).toEqual(first);
    await world.report([leaving({ terminatesAt: world.now + 120_000, reason: 'now for sure' })]);
    expect((await status('a1')).drain).toEqual({
      ...first,
      deadlineAt: new Date(world.now + 45_000).toISOString(),
      reason: 'now for sure',
    });
  });

  it('does not undo what a person asked for, and is nobody when unknown', async () => {
    await runningOn('a1', 1);
    await drain('a1', { deadlineSecs: 0, reason: 'by hand' });
    await world.report([leaving({ terminatesAt: world.now + 120_000 })]);
    expect((await status('a1')).drain).toMatchObject({ reason: 'by hand', requestedBy: 'UNSECURE' });
    expect(await world.report([leaving({ agentId: 'nobody' })])).toEqual([]);
  });
});

describe('requests', () => {
  it('for an agent nobody knows are refused', async () => {
    for (const [method, path] of [
      ['POST', '/agents/nobody/drain'],
      ['POST', '/agents/nobody/undrain'],
      ['GET', '/agents/nobody/drain'],
    ] as const) {
      const body = method === 'POST' ? { body: {} } : {};
      expect((await world.call(method, path, body)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    }
  });

  it.each([
    [{ deadlineSecs: -1 }, 'deadlineSecs'],
    [{ deadlineSecs: 8 * 86_400 }, 'deadlineSecs'],
    [{ percentage: 101 }, 'percentage'],
    [{ settledSecs: 0.5 }, 'settledSecs'],
    [{ until: 'noon' }, 'until'],
  ])('with %j are refused and say why', async (body, field) => {
    await world.report([registration('a1')]);
    const answer = await world.call('POST', '/agents/a1/drain', { body });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([400, expect.stringContaining(field)]);
    expect((await world.call('GET', '/agents/a1')).body).toMatchObject({ mode: 'NONE', drain: null });
  });

  it('have one hour unless they say otherwise', async () => {
    await world.report([registration('a1')]);
    const { body } = await drain('a1');
    expect(body.drain).toMatchObject({
      requestedAt: new Date(t0).toISOString(),
      deadlineAt: new Date(t0 + 3_600_000).toISOString(),
      percentage: 95,
      settledSecs: 30,
    });
  });
});
