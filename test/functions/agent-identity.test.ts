// An agent id belongs to an IAM identity: what others say in its name is refused at the queue and at the API.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ownerMemoryMs } from '../../functions/agent-events/check-senders.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from './support/world.ts';

const owner = 'AROAFLEET:host-1';
const stranger = 'AROAFLEET:host-2';

let world: World;
beforeEach(async () => {
  world = await createWorld({ identity: 'bound' });
  await world.report([registration('a1')], owner);
});
afterEach(() => world.stop());

/** The id of one task that the matcher placed on a1. */
async function assignedTask(): Promise<string> {
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const task = (await world.tasks(job)).find(({ agentId }) => agentId === 'a1');
  expect(task?.state).toBe('ASSIGNED');
  return task?.taskId ?? '';
}

const stateOf = async (taskId: string) => (await world.store.getTask(taskId))?.state;
const foreign = () => world.meter.counts.get('ForeignReports') ?? 0;
const heartbeat = { v: 1, kind: 'heartbeat', agentId: 'a1', sessionId: 's', sentAt: 1 };

describe('reports on the intake queue', () => {
  it('are taken from the identity that registered the agent', async () => {
    const taskId = await assignedTask();
    expect(await world.report([statusReport('a1', [[taskId, 'RUNNING']]), heartbeat], owner)).toEqual([]);
    expect(await stateOf(taskId)).toBe('RUNNING');
    expect(foreign()).toBe(0);
  });

  it.each([
    ['another identity of the same role', stranger],
    ['nobody the queue knows', undefined],
  ])('are refused from %s, without coming again', async (_who, sender) => {
    const taskId = await assignedTask();
    const before = await world.dump();
    const lie = [statusReport('a1', [[taskId, 'FINISHED']]), heartbeat, registration('a1')];
    expect(await world.report(lie, sender)).toEqual([]);
    expect(await world.dump()).toEqual(before);
    expect(foreign()).toBe(3);
  });

  it('of one batch are judged one by one', async () => {
    const taskId = await assignedTask();
    await world.report([statusReport('a1', [[taskId, 'RUNNING']])], owner);
    await world.report([statusReport('a1', [[taskId, 'FAILED']])], stranger);
    expect(await stateOf(taskId)).toBe('RUNNING');
  });

  it('about tasks of another agent are refused although the sender owns the agent it names', async () => {
    const taskId = await assignedTask();
    await world.report([registration('a2')], stranger);
    await world.report([statusReport('a2', [[taskId, 'FINISHED']])], stranger);
    expect(await stateOf(taskId)).toBe('ASSIGNED');
  });

  it('of an agent that never registered make no queue and write nothing', async () => {
    const before = await world.dump();
    const stray = statusReport('ghost', [['web~prod~x~0~1~abcdefgh', 'RUNNING']]);
    expect(await world.report([stray], stranger)).toEqual([]);
    expect(await world.dump()).toEqual(before);
    expect(world.agents.queues.has('ghost')).toBe(false);
  });

  it('in the name of an instance come from that instance only', async () => {
    const id = 'i-0123456789abcdef0';
    await world.report([registration(id)], stranger);
    expect(await world.store.getAgent(id)).toBeUndefined();
    await world.report([registration(id)], `AROAFLEET:${id}`);
    expect((await world.store.getAgent(id))?.agent.principal).toBe(`AROAFLEET:${id}`);
  });

  it('come again when the store does not answer who owns the agent', async () => {
    const read = vi.spyOn(world.store, 'getAgent').mockRejectedValueOnce(new Error('down'));
    expect(await world.report([heartbeat], owner)).toEqual(['m0']);
    expect(read).toHaveBeenCalledTimes(1);
    expect(await world.report([heartbeat], owner)).toEqual([]);
  });

  it('cost one read of the owner in five minutes', async () => {
    const read = vi.spyOn(world.store, 'getAgent');
    for (let times = 0; times < 5; times++) await world.report([heartbeat, heartbeat], owner);
    expect(read).toHaveBeenCalledTimes(1);
    world.now += ownerMemoryMs;
    await world.report([heartbeat], owner);
    expect(read).toHaveBeenCalledTimes(2);
  });
});

describe('the level of an agent', () => {
  const level = (userId?: string) =>
    world.call('GET', '/agents/a1/tasks', userId === undefined ? {} : { userId, userArn: 'arn' });

  it('is told to its owner', async () => {
    const taskId = await assignedTask();
    const { status, body } = await level(owner);
    expect([status, body.tasks[0].launch.taskId]).toEqual([200, taskId]);
  });

  it.each([
    ['another identity', stranger],
    ['nobody', undefined],
  ])('is refused to %s, with what to do', async (_who, caller) => {
    const { status, body } = await level(caller);
    expect([status, body.code]).toEqual([403, 'FORBIDDEN']);
    expect(body.detail).toMatch(/a1/);
    expect(body.tasks).toBeUndefined();
  });

  it('makes an agent register that has no owner any more', async () => {
    await world.call('POST', '/agents/a1/rebind', { body: {} });
    expect((await level(stranger)).status).toBe(404);
    await world.report([registration('a1')], stranger);
    expect((await level(stranger)).status).toBe(200);
    expect((await level(owner)).status).toBe(403);
  });
});

describe('handing an agent id over', () => {
  it('gives it to the identity named, and its queue with it', async () => {
    await world.run();
    expect(world.agents.owners.get('a1')).toBe(owner);
    const { status, body } = await world.call('POST', '/agents/a1/rebind', { body: { principal: stranger } });
    expect([status, body.principal]).toEqual([200, stranger]);
    await world.run();
    expect(world.agents.owners.get('a1')).toBe(stranger);
    await world.report([heartbeat], stranger);
    expect(foreign()).toBe(0);
    world.now += ownerMemoryMs;
    await world.report([heartbeat], owner);
    expect(foreign()).toBe(1);
  });

  it.each([
    ['an agent nobody knows', '/agents/none/rebind', {}, 404],
    ['no identity', '/agents/a1/rebind', { principal: 'a b' }, 400],
  ])('is refused for %s', async (_what, path, body, status) => {
    expect((await world.call('POST', path, { body })).status).toBe(status);
  });
});

describe('where identities are not checked', () => {
  it('agents have no owner, and everything is as it was sent', async () => {
    const open = await createWorld();
    await open.report([registration('a9')], stranger);
    expect((await open.store.getAgent('a9'))?.agent.principal).toBeUndefined();
    await open.run();
    expect((await open.call('GET', '/agents/a9/tasks')).status).toBe(200);
    await open.stop();
  });
});
