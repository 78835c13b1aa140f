// Agent reports on the real store: whom to believe, coalescing, races, poison.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processReports } from '../../../functions/agent-events/process-reports.ts';
import { maxOfferBytes, maxReportBytes } from '../../../shared/model/protocol.ts';
import type { Store } from '../../../shared/store/port.ts';
import { sqsEvent } from '../support/fakes.ts';
import { createWorld, pathOf, registration, statusReport, submission, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await world.report([registration('a1')]);
});
afterEach(() => world.stop());

async function runningJob(task: Parameters<typeof submission>[1] = {}) {
  const job = submission({}, task);
  await world.call('POST', pathOf(job), { body: job });
  await world.run();
  return { job, tasks: await world.tasks(job) };
}

function process(bodies: readonly unknown[], over: Partial<Store> = {}) {
  return processReports(sqsEvent(bodies), {
    store: { ...world.store, ...over },
    agents: world.agents,
    identity: 'none',
    owners: new Map(),
    ...world.common,
  });
}

const someTask = 'web~prod~x~0~1~abcdefgh';

/** Each within its limit, together too many. */
function manyAttributes(): Record<string, string[]> {
  return Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`a${index}`, ['x'.repeat(maxOfferBytes / 300)]]),
  );
}

const stateOf = async (taskId: string) => (await world.store.getTask(taskId))?.state;

describe('reports', () => {
  it.each([
    ['no JSON', 'hello'],
    ['an unknown kind', { v: 1, agentId: 'a1', sessionId: 's', sentAt: 1, kind: 'song' }],
    ['a newer version', { ...registration('a1'), v: 2 }],
    ['an agent id that is none', { ...registration('a1'), agentId: '../a1' }],
    ['larger than a report may be', `"${'x'.repeat(maxReportBytes)}"`],
    ['an offer larger than it may be', registration('a1', { attributes: manyAttributes() })],
    [
      'more statuses than a report takes',
      statusReport(
        'a1',
        Array.from({ length: 101 }, () => [someTask, 'RUNNING']),
      ),
    ],
    ['a message longer than it may be', statusReport('a1', [[someTask, 'RUNNING', 'x'.repeat(1025)]])],
    ['the offer of another agent', { ...registration('a1'), agentId: 'a2' }],
    ['a state that agents do not report', statusReport('a1', [['web~prod~x~0~1~abcdefgh', 'ASSIGNED']])],
  ])('that are %s fail alone', async (_what, bad) => {
    const { tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    const before = await world.dump();
    expect(await process([bad])).toEqual({ batchItemFailures: [{ itemIdentifier: 'm0' }] });
    expect(await world.dump()).toEqual(before);
    const mixed = await process([statusReport('a1', [[taskId, 'RUNNING']]), bad]);
    expect(mixed).toEqual({ batchItemFailures: [{ itemIdentifier: 'm1' }] });
    expect(await stateOf(taskId)).toBe('RUNNING');
  });

  it('coalesce the statuses of a task into one write with all their events', async () => {
    const { tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    let writes = 0;
    await process(
      [
        statusReport('a1', [
          [taskId, 'STARTING', 'sandbox made'],
          [taskId, 'RUNNING'],
        ]),
        statusReport('a1', [[taskId, 'FAILED', 'exit 3']]),
      ],
      {
        transitionAll: (all) => {
          writes += all.length;
          return world.store.transitionAll(all);
        },
      },
    );
    expect(writes).toBe(1);
    const task = await world.store.getTask(taskId);
    expect(task?.events.map(({ state, message }) => [state, message ?? ''])).toEqual([
      ['PENDING', ''],
      ['ASSIGNED', ''],
      ['STARTING', 'sandbox made'],
      ['RUNNING', ''],
      ['FAILED', 'exit 3'],
    ]);
  });

  it('about tasks of another agent are dropped', async () => {
    const { tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    await world.report([registration('a2')]);
    expect(await world.report([statusReport('a2', [[taskId, 'FAILED']])])).toEqual([]);
    expect(await stateOf(taskId)).toBe('ASSIGNED');
    expect(world.meter.counts.get('ForeignReports')).toBe(1);
    expect(world.agents.of('a2')).toEqual([]);
  });

  it.each([
    ['RUNNING', true],
    ['STARTING', true],
    ['FINISHED', false],
    ['LOST', false],
  ])('of %s about a task nobody knows are answered by a kill: %s', async (state, killed) => {
    const taskId = 'web~prod~gone~0~1~abcdefgh';
    const before = await world.dump();
    expect(await world.report([statusReport('a1', [[taskId, state]])])).toEqual([]);
    const kills = world.agents.of('a1').filter(({ kind }) => kind === 'kill');
    expect(kills).toEqual(killed ? [{ v: 1, kind: 'kill', taskIds: [taskId] }] : []);
    expect(await world.dump()).toEqual(before);
  });

  it('of a run that should have ended are answered by a kill and change nothing', async () => {
    const { job, tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
    await world.run();
    world.agents.sent.length = 0;
    await world.report([statusReport('a1', [[taskId, 'RUNNING']])]);
    expect(world.agents.of('a1')).toEqual([{ v: 1, kind: 'kill', taskIds: [taskId] }]);
    expect(await stateOf(taskId)).toBe('KILLING');
  });

  it('that lose a race are applied to the task as it is now', async () => {
    const { job, tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    let raced = false;
    const answer = await process([statusReport('a1', [[taskId, 'FAILED', 'exit 1']])], {
      transitionAll: async (writes) => {
        if (!raced) {
          raced = true;
          await world.call('POST', `${pathOf(job)}/kill`, { body: {} });
          await world.run();
        }
        return world.store.transitionAll(writes);
      },
    });
    expect(answer).toEqual({ batchItemFailures: [] });
    const task = await world.store.getTask(taskId);
    expect(task?.events.map(({ state }) => state)).toEqual(['PENDING', 'ASSIGNED', 'KILLING', 'FAILED']);
    await world.run();
    expect((await world.tasks(job)).filter(({ generation }) => generation > 1)).toEqual([]);
  });

  it('that always lose come again, and only they', async () => {
    const { tasks } = await runningJob();
    const [one, two] = tasks.map(({ taskId }) => taskId) as [string, string];
    const answer = await process(
      [statusReport('a1', [[one, 'RUNNING']]), statusReport('a1', [[two, 'RUNNING']])],
      {
        transitionAll: async (writes) =>
          Promise.all(
            writes.map(async (write) =>
              write.task.taskId === one
                ? { kind: 'conflict' as const, current: write.task }
                : world.store.transition(write),
            ),
          ),
      },
    );
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm0' }] });
    expect(await stateOf(two)).toBe('RUNNING');
  });

  it('come again when the store is gone', async () => {
    const { tasks } = await runningJob();
    const taskId = tasks[0]?.taskId ?? '';
    const down = () => Promise.reject(new Error('down'));
    const bodies = [registration('a3'), statusReport('a1', [[taskId, 'RUNNING']])];
    const answer = await process(bodies, { registerAgent: down, getTasks: down });
    expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort()).toEqual(['m0', 'm1']);
    expect(await process(bodies)).toEqual({ batchItemFailures: [] });
    expect((await world.call('GET', '/agents/a3')).body.lastSeenAt).not.toBeNull();
  });

  it('of a registration keep what the agent holds', async () => {
    await runningJob();
    await world.report([{ ...registration('a1'), sessionId: 's2' }]);
    expect((await world.call('GET', '/agents/a1')).body).toMatchObject({ free: { cpuMilli: 1000 } });
  });
});
