// A launch that is lost on its way to an agent without tasks, which fetches its list too seldom to find it in time.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultTimeouts, reminderAt } from '../../../shared/domain/task/timeouts.ts';
import { t0 } from '../../contract/fixtures.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

const deadlineMs = defaultTimeouts.ASSIGNED;

let world: World;
let job: ReturnType<typeof submission>;

beforeEach(async () => {
  world = await createWorld();
  await world.report([registration('a1')]);
  job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  // What was sent to the agent is lost.
  world.agents.sent.length = 0;
});
afterEach(() => world.stop());

const sweepAt = (now: number) => {
  world.now = now;
  const roster = { version: 1, calledAt: now, trustedSince: 0, censusAt: 0, agents: new Map() };
  return world.sweep({ getRoster: async () => roster });
};
const states = async () => (await world.tasks(job)).map(({ state }) => state);

it('is made good by the sweep before its deadline: the agent is told once to fetch its list', async () => {
  await sweepAt(t0 + 60_000);
  expect(world.agents.sent).toEqual([]);
  expect(await sweepAt(t0 + 120_000)).toMatchObject({ deferred: 3, timedOut: 0 });
  expect(world.agents.of('a1')).toEqual([{ v: 1, kind: 'reconcile' }]);
  expect(await states()).toEqual(['ASSIGNED', 'ASSIGNED', 'ASSIGNED']);
  for (let now = t0 + 180_000; now < t0 + deadlineMs; now += 60_000) await sweepAt(now);
  expect(world.agents.of('a1')).toHaveLength(1);
  // The deadline is where it was.
  expect(await sweepAt(t0 + deadlineMs)).toMatchObject({ timedOut: 3 });
});

it('is told of again a minute later if the queue of the agent could not be reached', async () => {
  world.agents.failing.add('a1');
  expect(await sweepAt(t0 + 120_000)).toMatchObject({ timedOut: 0, complete: true });
  world.agents.failing.clear();
  await sweepAt(t0 + 180_000);
  expect(world.agents.of('a1')).toEqual([{ v: 1, kind: 'reconcile' }]);
});

it('is told of again if the sweep ends between the message and the entry of the index', async () => {
  world.now = t0 + 120_000;
  await expect(world.sweep({ deferDue: () => Promise.reject(new Error('killed')) })).rejects.toThrow(
    'killed',
  );
  const before = world.agents.sent.length;
  expect(before).toBeGreaterThan(0);
  await sweepAt(t0 + 180_000);
  expect(world.agents.sent.length).toBeGreaterThan(before);
});

it('is not suspected of a task that was taken up', async () => {
  const starting = (await world.tasks(job)).map(({ taskId }): [string, string] => [taskId, 'STARTING']);
  await world.report([statusReport('a1', starting)]);
  await sweepAt(t0 + 120_000);
  expect(world.agents.of('a1')).toEqual([]);
});

it.each([
  [defaultTimeouts.ASSIGNED, 90_000],
  [3_600_000, 90_000],
  [120_000, 40_000],
  [30_000, 10_000],
])('is looked for, with a deadline of %i ms, after %i ms', (ASSIGNED, afterMs) => {
  expect(reminderAt(t0, { ...defaultTimeouts, ASSIGNED })).toBe(t0 + afterMs);
});
