// The index of deadlines lags behind the rows: what a sweep has ended it still lists for a while. That must neither hide
// what is overdue behind it nor make the sweep go round in circles.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { emptyReport, sweepShard } from '../../../functions/sweeper/overdue.ts';
import { defaultFlapping } from '../../../shared/domain/task/flapping.ts';
import { defaultTimeouts } from '../../../shared/domain/task/timeouts.ts';
import { randomIds } from '../../../shared/lib/ports.ts';
import { dueShards } from '../../../shared/store/keys.ts';
import type { Store } from '../../../shared/store/port.ts';
import { onEndpoint, type StoreUnderTest } from '../../contract/engines.ts';
import { makeTasks, step, t0 } from '../../contract/fixtures.ts';
import { startModelEndpoint } from '../../sim/model/http-endpoint.ts';
import { FakeLog } from '../support/fakes.ts';

const hourMs = 3_600_000;
const overdue = 120;

let tables: StoreUnderTest;
let lagMs = 0;
beforeEach(async () => {
  lagMs = 0;
  const model = await startModelEndpoint({ indexLagMs: () => lagMs });
  tables = await onEndpoint(model.endpoint, () => model.stop());
  const grant = { gpus: [], ports: {} };
  const tasks = makeTasks(overdue).map((task) => {
    return { ...step(task, 'ASSIGNED', { deadlineAt: t0 + task.instance }), agentId: 'a1', grant };
  });
  await tables.store().insertTasks(tasks);
});
afterEach(() => tables.stop());

/** One sweep of every shard with the store as it is, or as it answers while `over`. */
async function sweepAll(over: Partial<Store> = {}) {
  const pages: number[] = [];
  const store = tables.store();
  const deps = {
    store: {
      ...store,
      listDue: async (...args: Parameters<Store['listDue']>) => {
        const page = await store.listDue(...args);
        pages.push(page.items.length);
        return page;
      },
      ...over,
    },
    pageSize: 2,
    timeouts: defaultTimeouts,
    flapping: defaultFlapping,
    clock: () => t0 + hourMs,
    ids: randomIds,
    random: () => 0.5,
    log: new FakeLog(),
    reportsArriveMs: 0,
    evidence: async () => 'counts' as const,
    remind: async () => true,
    aside: () => undefined,
  };
  const shards = Array.from({ length: dueShards }, (_, shard) => shard);
  const reports = await Promise.all(
    shards.map((shard) => sweepShard(emptyReport(shard), () => 60_000, deps)),
  );
  const lost = reports.reduce((sum, report) => sum + report.lost, 0);
  return { lost, pages, isComplete: reports.every(({ complete }) => complete) };
}

it('what a sweep ended, and the index still lists, keeps nothing else from its end in the same sweep', async () => {
  lagMs = hourMs;
  const { lost, isComplete } = await sweepAll();
  expect({ lost, isComplete }).toEqual({ lost: overdue, isComplete: true });
});

it('a whole page that the rows know nothing of any more is gone past', async () => {
  lagMs = hourMs;
  await sweepAll();
  const again = await sweepAll();
  expect(again).toMatchObject({ lost: 0, isComplete: true });
  // Every entry is still listed, two a page, and none of them is due.
  expect(again.pages.length).toBeGreaterThanOrEqual(overdue / 2);
  expect(Math.max(...again.pages)).toBe(0);
});

it('tasks whose end somebody else keeps winning are gone past, too', async () => {
  const store = tables.store();
  const transitionAll: Store['transitionAll'] = async (writes) => {
    const lucky = writes.filter(({ task }) => task.instance >= 40);
    const outcomes = await store.transitionAll(lucky);
    return writes.map((write) => outcomes[lucky.indexOf(write)] ?? { kind: 'conflict' });
  };
  expect(await sweepAll({ transitionAll })).toMatchObject({ lost: overdue - 40, isComplete: true });
});
