// A sweep whose time is up goes on by itself, once, and the sweeps of the next minutes leave it its work.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mostRounds } from '../../../functions/sweeper/continuation.ts';
import type { SweepReport } from '../../../functions/sweeper/sweep.ts';
import type { SweepRound } from '../../../shared/model/wake.ts';
import type { Store } from '../../../shared/store/port.ts';
import { makeConfig, t0 } from '../../contract/fixtures.ts';
import {
  createWorld,
  pathOf,
  registration,
  smallResources,
  submission,
  type World,
} from '../support/world.ts';

const overdue = 60;
const enough = 60_000;

let world: World;
let calls: SweepRound[];
/** Tasks whose end was written, by every write that was tried. */
let tried: string[];

beforeEach(async () => {
  world = await createWorld();
  calls = [];
  tried = [];
  await world.report([registration('a1')]);
  const config = makeConfig({ resources: { ...smallResources, cpuMilli: 1, ramMb: 1 } });
  const job = submission({ configs: [{ instances: [[0, overdue - 1]], task: config }] });
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  world.now = t0 + 5 * 60_000;
});
afterEach(() => world.stop());

/** So many looks at the clock and the time is up: pages that may be begun. */
const budget = (pages: number) => () => (pages-- > 0 ? enough : 1_000);

const store = (over: Partial<Store> = {}): Partial<Store> => ({
  getRoster: async () => ({
    version: 1,
    calledAt: world.now,
    trustedSince: 0,
    censusAt: 0,
    agents: new Map(),
  }),
  transitionAll: (writes) => {
    tried.push(...writes.map(({ task }) => task.taskId));
    return world.store.transitionAll(writes);
  },
  ...over,
});

const again = async (round: SweepRound) => void calls.push(round);

function sweep(pages: number, round?: SweepRound, over: Partial<Store> = {}): Promise<SweepReport> {
  return world.sweep(store(over), budget(pages), { again, pageSize: 2 }, round);
}

/** Makes the rounds that were asked for until no more are. */
async function goOn(pages: number): Promise<SweepReport[]> {
  const reports: SweepReport[] = [];
  for (let round = calls.shift(); round; round = calls.shift()) reports.push(await sweep(pages, round));
  return reports;
}

const distinct = () => new Set(tried).size;

describe('a sweep whose time is up', () => {
  it('goes on until everything is done, each task once', async () => {
    const first = await sweep(6);
    expect(first).toMatchObject({ complete: false, continued: true });
    expect(first.timedOut).toBeGreaterThan(0);
    const rounds = await goOn(8);
    expect(rounds.length).toBeGreaterThan(2);
    expect(rounds.at(-1)).toMatchObject({ complete: true, continued: false });
    expect(first.timedOut + rounds.reduce((sum, { timedOut }) => sum + timedOut, 0)).toBe(overdue);
    expect([tried.length, distinct()]).toEqual([overdue, overdue]);
    expect(await world.store.getSweepLease()).toBeUndefined();
    expect(await sweep(enough)).toMatchObject({ timedOut: 0, complete: true, continued: false });
  });

  it('leaves its work to its continuation at the next minute, and wakes pools all the same', async () => {
    const first = await sweep(0);
    expect(first).toMatchObject({ timedOut: 0, continued: true });
    world.now += 20_000;
    expect(await sweep(enough)).toMatchObject({ timedOut: 0, complete: true, continued: false });
    expect(tried).toEqual([]);
    const rounds = await goOn(enough);
    expect(rounds).toMatchObject([{ timedOut: overdue, complete: true }]);
  });

  it('goes on once, however often the event is delivered and in whatever order', async () => {
    await sweep(0);
    const [one] = calls as [SweepRound];
    const both = await Promise.all([sweep(8, one), sweep(8, one)]);
    expect(both.filter(({ timedOut }) => timedOut > 0)).toHaveLength(1);
    expect(calls).toHaveLength(2);
    const [, two] = calls as [SweepRound, SweepRound];
    await sweep(enough, two);
    expect(await sweep(enough, two)).toMatchObject({ timedOut: 0 });
    expect(await sweep(enough, one)).toMatchObject({ timedOut: 0 });
    expect([tried.length, distinct()]).toEqual([overdue, overdue]);
  });

  it.each([
    ['the event was lost', async () => void (await sweep(0))],
    [
      'the round died half way',
      async () => {
        await sweep(0);
        const down = { transitionAll: () => Promise.reject(new Error('killed')) };
        await expect(sweep(enough, calls[0], down)).rejects.toThrow('killed');
      },
    ],
  ])('is made good by a later minute if %s', async (_what, lose) => {
    await lose();
    calls = [];
    world.now += 2 * 60_000;
    expect(await sweep(enough)).toMatchObject({ timedOut: overdue, complete: true });
  });

  it('leaves the rest to the next minute if it cannot call itself', async () => {
    const broken = () => Promise.reject(new Error('throttled'));
    const report = await world.sweep(store(), budget(3), { again: broken, pageSize: 2 });
    expect(report).toMatchObject({ complete: false, continued: false });
    expect(await sweep(enough)).toMatchObject({ timedOut: overdue - report.timedOut, complete: true });
  });

  it('gives up after so many rounds, and the next minute begins anew', async () => {
    await sweep(0);
    const rounds = await goOn(0);
    expect(rounds).toHaveLength(mostRounds);
    expect(rounds.at(-1)).toMatchObject({ continued: false, complete: false });
    expect(await world.store.getSweepLease()).toBeUndefined();
    expect(await sweep(enough)).toMatchObject({ timedOut: overdue });
  });

  it('does not go on with what failed, which would most likely fail again at once', async () => {
    const down = { listDue: () => Promise.reject(new Error('down')) };
    await expect(sweep(enough, undefined, down)).rejects.toThrow('down');
    expect(calls).toEqual([]);
  });
});
