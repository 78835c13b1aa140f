// Deadlines while changes or reports are late and heartbeats are not: through the real way of the sweep's probe.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLateness } from '../../../functions/lateness.ts';
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

const minuteMs = 60_000;

/** A sweep while roll calls are in time; its probe takes the real way. */
const sweep = (remainingMs = 55_000) => {
  const roster = { version: 1, calledAt: world.now, trustedSince: 0, censusAt: 0, agents: new Map() };
  return world.sweep({ getRoster: async () => roster }, remainingMs, { pause: () => world.run() });
};

/** What a minute of sweeps ended and held, minute by minute. */
async function minutes(count: number) {
  const reports = [];
  for (let i = 0; i < count; i++) {
    world.now += minuteMs;
    reports.push(await sweep());
  }
  return reports;
}

async function assignedJob() {
  await world.report([registration('a1')]);
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  const taskIds = (await world.tasks(job)).map(({ taskId }) => taskId);
  return { job, taskIds };
}

/** As an agent sends it: it waits in the queue until somebody takes it. */
const send = (taskIds: readonly string[], state: string) => {
  const body = JSON.stringify(
    statusReport(
      'a1',
      taskIds.map((taskId): [string, string] => [taskId, state]),
    ),
  );
  return world.messages.send(queues.intake, [{ body }]);
};

const ended = (reports: readonly { readonly timedOut: number }[]) =>
  reports.reduce((sum, { timedOut }) => sum + timedOut, 0);

describe('a sweep that finds tasks overdue', () => {
  it('asks once whether what they said would have arrived, and ends them within the same minute', async () => {
    const { job } = await assignedJob();
    const probes = vi.spyOn(world.store, 'putProbe');
    world.now = t0 + 5 * minuteMs - 1;
    expect(await sweep()).toMatchObject({ timedOut: 0, held: 0, awaited: 0 });
    expect(probes).not.toHaveBeenCalled();
    world.now += 1;
    expect(await sweep()).toMatchObject({ timedOut: 3, held: 0, awaited: 0 });
    expect(probes).toHaveBeenCalledTimes(1);
    expect((await world.tasks(job)).filter(({ generation }) => generation === 2)).toHaveLength(3);
  });

  it('leaves them to the next one if the probe takes half a minute, which is no alarm', async () => {
    await assignedJob();
    world.now = t0 + 5 * minuteMs;
    world.late.add('stream');
    expect(await sweep()).toMatchObject({ timedOut: 0, held: 0, awaited: 3 });
    world.now += 30_000;
    world.late.delete('stream');
    await world.run();
    world.now += 30_000;
    world.late.add('stream');
    expect(await sweep()).toMatchObject({ timedOut: 3, held: 0 });
    expect(world.meter.counts.get('TimeoutsHeld') ?? 0).toBe(0);
  });

  it('waits no longer for its probe than it has time', async () => {
    await assignedJob();
    world.now = t0 + 5 * minuteMs;
    const pause = vi.fn(async () => undefined);
    const roster = { version: 1, calledAt: world.now, trustedSince: 0, censusAt: 0, agents: new Map() };
    const left = [12_000, 12_000, 12_000, 12_000, 12_000, 12_000, 12_000, 12_000, 9_000];
    const report = await world.sweep({ getRoster: async () => roster }, () => left.shift() ?? 9_000, {
      pause,
    });
    expect(report).toMatchObject({ timedOut: 0 });
    expect(pause.mock.calls.length).toBeLessThan(6);
  });
});

describe('while reports are late and heartbeats are in time', () => {
  it('nobody is given up, that is counted, and it goes on by itself when they have arrived', async () => {
    const { job, taskIds } = await assignedJob();
    world.late.add('intake');
    world.now += 10_000;
    await send(taskIds.slice(0, 2), 'RUNNING');
    const late = await minutes(12);
    expect(ended(late)).toBe(0);
    expect(late.at(-1)).toMatchObject({ held: 3 });
    expect(world.meter.counts.get('TimeoutsHeld')).toBeGreaterThan(3 * 5);
    world.late.clear();
    await world.run();
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING', 'ASSIGNED']);
    // Others may still be hidden, retried, asked for anew.
    expect(ended(await minutes(2))).toBe(0);
    expect(ended(await minutes(1))).toBe(1);
    const lost = (await world.tasks(job)).filter(({ state }) => state === 'LOST');
    expect(lost.map(({ taskId }) => taskId)).toEqual(taskIds.slice(2));
  });

  it('what the store refused to take counts as late, what no store can ever take does not', async () => {
    const { taskIds } = await assignedJob();
    const lateness = vi.fn(async () => undefined);
    const { processReports } = await import('../../../functions/agent-events/process-reports.ts');
    const report = JSON.stringify(statusReport('a1', [[taskIds[0] ?? '', 'RUNNING']]));
    const event = (receives: number, ageMs: number) => ({
      Records: [
        {
          messageId: 'm',
          body: report,
          attributes: {
            SentTimestamp: String(world.now - ageMs),
            ApproximateReceiveCount: String(receives),
          },
        },
      ],
    });
    const take = (receives: number, ageMs: number, over: Partial<World['store']> = {}) =>
      processReports(event(receives, ageMs) as never, {
        ...world.common,
        store: { ...world.store, ...over },
        agents: world.agents,
        identity: 'none',
        owners: new Map(),
        lateness,
      });
    const refuses = { getTasks: () => Promise.reject(new Error('throttled')) };
    await take(1, 0, refuses);
    expect(lateness).toHaveBeenCalledTimes(1);
    const unreadable: Partial<World['store']> = {
      getTasks: async (_ids, aside) => {
        const [task] = await world.store.getTasks([taskIds[0] ?? '']);
        const { taskKeyOfId } = await import('../../../shared/store/keys.ts');
        const { pk = '', sk = '' } = taskKeyOfId(task?.taskId ?? '') ?? {};
        aside?.({ pk, sk, error: new Error('unreadable') } as never);
        return [];
      },
    };
    expect((await take(7, 300_000, unreadable)).batchItemFailures).toHaveLength(1);
    expect(lateness).toHaveBeenCalledTimes(1);
    await take(7, 300_000);
    expect(lateness).toHaveBeenCalledTimes(2);
    await take(1, 60_000);
    expect(lateness).toHaveBeenCalledTimes(2);
    await take(1, 60_001);
    expect(lateness).toHaveBeenCalledTimes(3);
  });

  it('a probe from the future proves nothing', async () => {
    await world.messages.send(queues.intake, [
      { body: JSON.stringify({ v: 1, probe: world.now + 3600_000 }) },
    ]);
    await world.run();
    expect(await world.store.getPassage()).toEqual({});
  });
});

describe('while changes are late and heartbeats are in time', () => {
  it('nobody is given up who was not told, nor at once when the launches have gone out', async () => {
    await world.report([registration('a1')]);
    await world.run();
    const job = submission();
    await world.call('POST', pathOf(job), { body: job });
    world.late.add('stream');
    await world.reconcile(job);
    await world.match('default');
    await world.run();
    expect((await world.tasks(job)).map(({ state }) => state)).toEqual(Array(3).fill('ASSIGNED'));
    // Just before their deadline the stream is read again.
    world.now += 5 * minuteMs - 2_000;
    await world.run();
    expect(world.agents.of('a1')).toEqual([]);
    world.late.clear();
    await world.run();
    expect(world.agents.of('a1').map(({ kind }) => kind)).toEqual(['launch']);
    world.now += 3_000;
    expect(await sweep()).toMatchObject({ timedOut: 0, held: 3 });
    expect(ended(await minutes(2))).toBe(0);
    expect(ended(await minutes(1))).toBe(3);
  });
});

describe('what is late', () => {
  it('is noted once in a while by a process, and never an error', async () => {
    let now = t0;
    const notePassage = vi.fn(async () => undefined);
    const lateness = createLateness({ store: { notePassage }, clock: () => now, log: world.log });
    await lateness('reports', 61_000);
    now += 9_999;
    await lateness('reports', 61_000);
    expect(notePassage.mock.calls).toEqual([[{ lateAt: t0 }]]);
    now += 1;
    notePassage.mockRejectedValueOnce(new Error('throttled'));
    await lateness('reports');
    await lateness('reports');
    expect(notePassage.mock.calls.at(-1)).toEqual([{ lateAt: now }]);
    expect(notePassage).toHaveBeenCalledTimes(3);
  });
});
