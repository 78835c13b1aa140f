// An operator takes an agent off the list: only one that is gone, and at no task's cost.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeConfig } from '../../contract/fixtures.ts';
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
beforeEach(async () => {
  world = await createWorld();
  await world.report([registration('a1')]);
  await world.run();
});
afterEach(() => world.stop());

const forget = () => world.call('POST', '/agents/a1/forget', { body: {} });
const lose = async () => {
  const read = await world.store.getAgent('a1');
  if (!read) throw new Error('the agent is there');
  expect(await world.store.setAgentLost(read, world.now)).toEqual({ kind: 'committed' });
};

it('takes a lost agent without tasks away at once, its queue after it, and answers what it was', async () => {
  await lose();
  expect(await forget()).toMatchObject({ status: 200, body: { agentId: 'a1', presence: 'lost', tasks: [] } });
  expect((await world.call('GET', '/agents/a1')).status).toBe(404);
  await world.run();
  expect(world.agents.queues.has('a1')).toBe(false);
  expect(await forget()).toMatchObject({ status: 404 });
});

it('refuses an agent that is heard, and says when it was', async () => {
  const before = await world.dump();
  const { status, body } = await forget();
  expect([status, body.code]).toEqual([409, 'CONFLICT']);
  expect(body.detail).toContain('agent a1 is not lost: it was heard at 2027-01-15T08:00:00.000Z');
  expect(body.detail).toContain('Nothing was changed');
  expect(await world.dump()).toEqual(before);
});

it('refuses a lost agent for which tasks wait, and names them', async () => {
  const config = makeConfig({
    resources: smallResources,
    partitionPolicy: { reschedule: false, delaySecs: 0 },
  });
  const job = submission({ configs: [{ instances: [[0, 0]], task: config }] });
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const [task] = await world.tasks(job);
  await world.report([statusReport('a1', [[task?.taskId ?? '', 'RUNNING']])]);
  await lose();
  const { status, body } = await forget();
  expect([status, body.code]).toEqual([409, 'CONFLICT']);
  expect(body.detail).toContain(`${task?.taskId} (RUNNING)`);
  expect(await world.store.getAgent('a1')).toBeDefined();
});
