// GET /agents/{agentId}/tasks: one copy of each config, pages, sessions.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DesiredPage, desiredPageSchema, joinDesired } from '../../../shared/model/protocol.ts';
import { makeConfig } from '../../contract/fixtures.ts';
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

const level = async (query: Record<string, string> = { session: 's1' }): Promise<DesiredPage> => {
  const { status, body } = await world.call('GET', '/agents/a1/tasks', { query });
  expect([status, body]).toEqual([200, expect.anything()]);
  return desiredPageSchema.parse(body);
};

const bigConfig = (index: number) =>
  makeConfig({
    resources: { ...smallResources, cpuMilli: 1 },
    processes: Array.from({ length: 3 }, (_, process) => ({
      ...(makeConfig().processes[0] as never as object),
      name: `p${process}`,
      cmdline: `${index}`.padEnd(40_000, 'x'),
    })) as never,
  });

describe('the level of an agent', () => {
  it('holds a config once, however many tasks have it', async () => {
    await world.report([registration('a1')]);
    const config = makeConfig({ resources: { ...smallResources, cpuMilli: 1 } });
    const job = submission({ configs: [{ instances: [[0, 39]], task: config }] });
    await world.call('POST', pathOf(job), { body: job });
    await world.run();
    const page = await level();
    expect(page.tasks).toHaveLength(40);
    expect(Object.values(page.configs)).toEqual([config]);
    expect(page.next).toBeNull();
    expect(page.tasks[0]?.launch).not.toHaveProperty('config');
    expect(joinDesired([page]).tasks[0]?.launch.config).toEqual(config);
    // An agent of an older version names no session and looks for the config in each launch.
    expect((await level({})).tasks.every(({ launch }) => launch.config !== undefined)).toBe(true);
  });

  it('comes in pages that a function can answer, each task on one', async () => {
    await world.report([registration('a1')]);
    for (let index = 0; index < 45; index++) {
      const job = submission({ configs: [{ instances: [[0, 0]], task: bigConfig(index) }] });
      expect((await world.call('POST', pathOf(job), { body: job })).body.detail ?? '').toBe('');
    }
    await world.run();
    const pages: DesiredPage[] = [await level()];
    for (let next = pages[0]?.next; next; next = pages.at(-1)?.next)
      pages.push(await level({ session: 's1', after: next }));
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(JSON.stringify(page).length).toBeLessThan(5_000_000);
    const joined = joinDesired(pages);
    expect(new Set(joined.tasks.map(({ launch }) => launch.taskId)).size).toBe(45);
    expect(joined.others).toEqual([]);
  });

  it('is for the session that registered last: an unknown one registers first, a followed one gives way', async () => {
    await world.report([registration('a1')]);
    expect(await level({ session: 's1' })).toMatchObject({ tasks: [] });
    expect((await world.call('GET', '/agents/a1/tasks', { query: { session: 's2' } })).status).toBe(404);
    await world.report([{ ...registration('a1'), sessionId: 's2' }]);
    expect(await level({ session: 's2' })).toMatchObject({ tasks: [] });
    expect((await world.call('GET', '/agents/a1/tasks', { query: { session: 's1' } })).status).toBe(409);
    // Its registrations change nothing either, and are counted.
    await world.report([{ ...registration('a1'), sentAt: world.now + 5, sessionId: 's1' }]);
    expect(await level({ session: 's2' })).toMatchObject({ tasks: [] });
    expect(world.meter.counts.get('DuplicateAgents')).toBe(1);
  });
});
