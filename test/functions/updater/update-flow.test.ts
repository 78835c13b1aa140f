// Whole updates with the real store and the real cores of all functions; agents are reports, time is the test's.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobUnderUpdate } from '../../../shared/domain/update/follow-job.ts';
import { currentConfigs } from '../../../shared/domain/update/progress.ts';
import { planUpdate } from '../../../shared/domain/update/start.ts';
import { newUpdateId } from '../../../shared/domain/update/update-id.ts';
import { contentId } from '../../../shared/lib/hash.ts';
import { randomIds } from '../../../shared/lib/ports.ts';
import { listInstances } from '../../../shared/model/instance-ranges.ts';
import { isActive, type Task } from '../../../shared/model/task.ts';
import type { TaskConfig } from '../../../shared/model/task-config.ts';
import type { ConfiguredInstances, UpdateSettingsInput } from '../../../shared/model/update.ts';
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
  await world.report([registration('a1', big), registration('a2', big)]);
});
afterEach(() => world.stop());

const big = {
  capacity: {
    cpuMilli: 64_000,
    ramMb: 65_536,
    diskMb: 100_000,
    gpus: [],
    portRange: [31_000, 32_000] as [number, number],
  },
};
const config = (priority: number, more: Partial<TaskConfig> = {}) =>
  makeConfig({ resources: smallResources, priority, ...more });
type Job = ReturnType<typeof submission>;

async function runningJob(instances: number): Promise<Job> {
  const job = submission({ configs: [{ instances: [[0, instances - 1]], task: config(0) }] });
  await world.call('POST', pathOf(job), { body: job });
  await agentsAnswer(job);
  return job;
}

type Behaviour = (task: Task) => 'run' | 'fail' | 'stay';

/** Agents start what was assigned and end what is to be killed, until nothing moves any more. */
async function agentsAnswer(job: Job, behave: Behaviour = () => 'run'): Promise<void> {
  for (;;) {
    await world.run();
    const tasks = await world.tasks(job);
    const reports = tasks.flatMap((task) => {
      const agentId = task.agentId ?? '';
      if (task.state === 'KILLING') return [statusReport(agentId, [[task.taskId, 'KILLED']])];
      if (task.state !== 'ASSIGNED' && task.state !== 'STARTING') return [];
      const behaviour = behave(task);
      if (behaviour === 'stay') return [];
      return [
        statusReport(agentId, [
          [task.taskId, 'STARTING'],
          [task.taskId, behaviour === 'run' ? 'RUNNING' : 'FAILED'],
        ]),
      ];
    });
    if (reports.length === 0) return;
    world.now += 10;
    expect(await world.report(reports)).toEqual([]);
  }
}

/** Starts an update as the API does, but also to configs that leave a gap between instances, which the API refuses. */
async function start(
  job: Job,
  proposed: (readonly [TaskConfig, [number, number][]])[],
  settings: UpdateSettingsInput,
) {
  const configs = new Map(proposed.map(([task]) => [contentId(task), task]));
  const stored = await world.store.getJob(job);
  const tasks = await world.tasks(job);
  const byInstance = Map.groupBy(tasks, ({ instance }) => instance);
  const instances = [...byInstance].map(([instance, all]) => ({ instance, tasks: all }));
  const plan = planUpdate({
    job,
    updateId: newUpdateId(world.now, randomIds),
    user: 'ann',
    current: currentConfigs(instances),
    proposed: proposed.map(
      ([task, ranges]): ConfiguredInstances => ({ configId: contentId(task), instances: ranges }),
    ),
    settings,
    configs: { service: true, hasSlaPolicy: false, dedicated: false },
    instances,
    now: world.now,
  });
  if (!plan.update) throw new Error('nothing to do');
  const { update } = plan;
  const next = jobUnderUpdate({ job: stored, update, cluster: 'local', now: world.now });
  const expected = stored && { specVersion: stored.specVersion, reconciledVersion: stored.reconciledVersion };
  const outcome = await world.store.createUpdate({
    update,
    configs,
    job: { next, ...(expected && { expected }) },
  });
  expect(outcome).toEqual({ kind: 'created' });
  return update.updateId;
}

/** Asks the API for a change of an update. */
async function call(job: Job, updateId: string, what: string, body = {}): Promise<void> {
  const { status } = await world.call('POST', `${pathOf(job)}/updates/${updateId}/${what}`, { body });
  expect([what, status]).toEqual([what, 202]);
}

const record = async (job: Job, updateId: string) => {
  const stored = await world.store.getUpdate(job, updateId);
  if (!stored) throw new Error('the update is gone');
  return stored;
};

async function active(job: Job): Promise<Task[]> {
  return (await world.tasks(job))
    .filter(({ state }) => isActive(state))
    .toSorted((a, b) => a.instance - b.instance);
}

const configOf = async (job: Job) =>
  (await active(job)).map(({ instance, configId }) => [instance, configId]);

/** Instances in the order in which something happened to them. */
async function order(job: Job, updateId: string, action: string): Promise<number[]> {
  const { items } = await world.store.listInstanceEvents(job, updateId, { limit: 10_000 });
  return items.filter((event) => event.action === action).map(({ instance }) => instance);
}

const batches = (groupSize: number, more: UpdateSettingsInput = {}): UpdateSettingsInput => ({
  strategy: { kind: 'batch', groupSize },
  minWaitInInstanceRunningMs: 0,
  ...more,
});

/** Each batch is watched before the next. */
const watched: UpdateSettingsInput = { minWaitInInstanceRunningMs: 45_000 };

describe('an update', () => {
  it('takes every instance to the new config, batch by batch, and the job with it', async () => {
    const job = await runningJob(9);
    const wanted = config(1);
    const updateId = await start(job, [[wanted, [[0, 8]]]], batches(3));
    await agentsAnswer(job);
    const { update } = await record(job, updateId);
    expect(update.status).toBe('ROLLED_FORWARD');
    expect(await configOf(job)).toEqual(Array.from({ length: 9 }, (_, i) => [i, contentId(wanted)]));
    expect(await order(job, updateId, 'INSTANCE_UPDATING')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await order(job, updateId, 'INSTANCE_UPDATED')).toHaveLength(9);
    const stored = await world.store.getJob(job);
    expect(stored?.updateId).toBeUndefined();
    expect(stored?.desired.map(({ configId, instances }) => [configId, instances])).toEqual([
      [contentId(wanted), [0, 8]],
    ]);
    expect(stored?.reconciledVersion).toBe(stored?.specVersion);
    const [execution] = world.workflows.executions.values();
    expect(execution?.position).toEqual({ at: 'end', decision: 'rolledForward' });
    // Three batches: four transitions each, and the verdict that ends it.
    const turn = ['Verdict', 'Which way?', 'Forward batch', 'Watch'];
    expect(execution?.states).toEqual([...turn, ...turn, ...turn, 'Verdict', 'Which way?']);
  });

  it('rolls back in exact reverse, each instance to its own original config', async () => {
    const job = await runningJob(9);
    // A canary: 2 and 7 run another config than the rest.
    const canary = config(5);
    const first = await start(
      job,
      [
        [
          canary,
          [
            [2, 2],
            [7, 7],
          ],
        ],
        [
          config(0),
          [
            [0, 1],
            [3, 6],
            [8, 8],
          ],
        ],
      ],
      batches(9),
    );
    await agentsAnswer(job);
    expect((await record(job, first)).update.status).toBe('ROLLED_FORWARD');
    const before = await configOf(job);
    const bad = config(1);
    const updateId = await start(job, [[bad, [[0, 8]]]], batches(3));
    await agentsAnswer(job, (task) =>
      task.configId === contentId(bad) && task.instance === 8 ? 'fail' : 'run',
    );
    const { update } = await record(job, updateId);
    expect(update.status).toBe('ROLLED_BACK');
    expect(update.events.map(({ status }) => status)).toEqual([
      'ROLLING_FORWARD',
      'ROLLING_BACK',
      'ROLLED_BACK',
    ]);
    expect(update.events[1]?.message).toContain('instance 8');
    expect(await order(job, updateId, 'INSTANCE_ROLLING_BACK')).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await configOf(job)).toEqual(before);
    const states = [...world.workflows.executions.values()].at(-1)?.states ?? [];
    expect(states.filter((state) => state === 'Roll back batch')).toHaveLength(3);
  });

  it('creates, replaces and removes; and on the way back removes what it created and creates what it removed', async () => {
    const job = await runningJob(6);
    const wanted = config(1);
    // 0 to 3 replaced, 4 and 5 removed, 6 and 7 created.
    const proposed: [TaskConfig, [number, number][]][] = [
      [
        wanted,
        [
          [0, 3],
          [6, 7],
        ],
      ],
    ];
    const updateId = await start(job, proposed, batches(2));
    await agentsAnswer(job);
    expect(await configOf(job)).toEqual([0, 1, 2, 3, 6, 7].map((i) => [i, contentId(wanted)]));
    expect(await order(job, updateId, 'INSTANCE_UPDATING')).toEqual([6, 7, 0, 1, 2, 3, 4, 5]);

    const again = config(2);
    const second = await start(
      job,
      [
        [
          again,
          [
            [0, 2],
            [8, 8],
          ],
        ],
      ],
      batches(2),
    );
    const fails = (task: Task) =>
      task.configId === contentId(again) && task.instance === 2 ? 'fail' : 'run';
    await agentsAnswer(job, fails);
    expect((await record(job, second)).update.status).toBe('ROLLED_BACK');
    expect(await configOf(job)).toEqual([0, 1, 2, 3, 6, 7].map((i) => [i, contentId(wanted)]));
    const stored = await world.store.getJob(job);
    expect(listInstances(stored?.desired.map(({ instances }) => instances) ?? [])).toEqual([
      0, 1, 2, 3, 6, 7,
    ]);
    // Reconcile has nothing to say against it.
    const rows = await world.dump();
    await world.reconcile(job);
    expect(await world.dump()).toEqual(rows);
  });

  it('watches before it goes on, and turns back while it watches', async () => {
    const job = await runningJob(4);
    const wanted = config(1);
    const updateId = await start(job, [[wanted, [[0, 3]]]], batches(2, watched));
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.progress.visited).toBe(2);
    world.now += 30_000;
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.progress.visited).toBe(2);
    world.now += 15_001;
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.progress.visited).toBe(4);
    world.now += 10_000;
    const victim = (await active(job)).find(({ instance }) => instance === 3);
    await world.report([statusReport(victim?.agentId ?? '', [[victim?.taskId ?? '', 'FAILED']])]);
    await agentsAnswer(job);
    // At once, though the watch has 35 seconds to go.
    expect((await record(job, updateId)).update.status).toBe('ROLLING_BACK');
    for (let i = 0; i < 4; i++) {
      world.now += 45_001;
      await agentsAnswer(job);
    }
    expect((await record(job, updateId)).update.status).toBe('ROLLED_BACK');
    expect(new Set((await configOf(job)).map(([, id]) => id))).toEqual(new Set([contentId(config(0))]));
  });

  it('changes nothing when everything is delivered again', async () => {
    const job = await runningJob(5);
    await start(job, [[config(1), [[0, 4]]]], batches(2));
    await agentsAnswer(job);
    const rows = await world.dump();
    await world.redeliver();
    await world.run();
    expect(await world.dump()).toEqual(rows);
  });

  it('waits for room without a failure, and goes on when there is some', async () => {
    const job = await runningJob(2);
    const greedy = config(1, { resources: { ...smallResources, cpuMilli: 60_000 }, constraints: [] });
    const huge = { ...greedy, resources: { ...smallResources, cpuMilli: 90_000 } };
    const updateId = await start(job, [[huge, [[0, 1]]]], batches(1));
    await agentsAnswer(job);
    const waiting = await record(job, updateId);
    expect(waiting.update.status).toBe('ROLLING_FORWARD');
    expect((await active(job)).map(({ state, instance }) => [instance, state])).toEqual([
      [0, 'PENDING'],
      [1, 'RUNNING'],
    ]);
    const transitions = () => [...world.workflows.executions.values()].flatMap(({ states }) => states).length;
    const before = transitions();
    world.now += 600_000;
    await agentsAnswer(job);
    expect(transitions()).toBe(before);
    await world.report([registration('a3', { capacity: { ...big.capacity, cpuMilli: 200_000 } })]);
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.status).toBe('ROLLED_FORWARD');
  });

  it('stops or turns back when the time for finding room is over', async () => {
    const job = await runningJob(2);
    const huge = config(1, { resources: { ...smallResources, cpuMilli: 90_000 } });
    const late = { placementDeadlineMs: 60_000, onPlacementDeadline: 'rollback' as const };
    const updateId = await start(job, [[huge, [[0, 1]]]], batches(1, late));
    await agentsAnswer(job);
    world.now += 59_000;
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.status).toBe('ROLLING_FORWARD');
    world.now += 2_000;
    await agentsAnswer(job);
    world.now += 2_000;
    await agentsAnswer(job);
    const { update } = await record(job, updateId);
    expect(update.status).toBe('ROLLED_BACK');
    expect(update.events[1]?.message).toContain('no agent had room');
    expect(update.progress.failed).toEqual([]);
  });

  it('hands over to further executions and ends all the same', async () => {
    world.turnsPerExecution = 3;
    const job = await runningJob(20);
    const updateId = await start(job, [[config(1), [[0, 19]]]], batches(1));
    await agentsAnswer(job);
    const { update, sequence } = await record(job, updateId);
    expect(update.status).toBe('ROLLED_FORWARD');
    expect(sequence).toBeGreaterThanOrEqual(10);
    expect(world.workflows.executions.size).toBe(sequence);
    for (const { states, position } of world.workflows.executions.values()) {
      expect(states.filter((state) => state === 'Verdict').length).toBeLessThanOrEqual(3);
      expect(position.at).toBe('end');
    }
  });

  it('gets another execution from the sweeper when its own was stopped by hand', async () => {
    const job = await runningJob(4);
    const updateId = await start(job, [[config(1), [[0, 3]]]], batches(1, watched));
    await agentsAnswer(job);
    world.workflows.stop(updateId, 1);
    world.now += 61_000;
    expect(await world.sweep()).toMatchObject({ updatesRestarted: 1 });
    expect(await world.sweep()).toMatchObject({ updatesRestarted: 0 });
    for (let i = 0; i < 6; i++) {
      await agentsAnswer(job);
      world.now += 45_001;
    }
    const { update, sequence } = await record(job, updateId);
    expect([update.status, sequence]).toEqual(['ROLLED_FORWARD', 2]);
  });

  it('pauses, resumes and rolls back on request', async () => {
    const job = await runningJob(4);
    const updateId = await start(job, [[config(1), [[0, 3]]]], batches(1, watched));
    await agentsAnswer(job);
    await call(job, updateId, 'pause');
    world.now += 100_000;
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.progress.visited).toBe(1);
    expect([...world.workflows.executions.values()][0]?.position).toEqual({ at: 'end', decision: 'stopped' });
    await call(job, updateId, 'resume');
    await agentsAnswer(job);
    world.now += 50_000;
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.progress.visited).toBe(3);
    await call(job, updateId, 'rollback');
    for (let i = 0; i < 5; i++) {
      await agentsAnswer(job);
      world.now += 50_000;
    }
    expect((await record(job, updateId)).update.status).toBe('ROLLED_BACK');
    expect(new Set((await configOf(job)).map(([, id]) => id))).toEqual(new Set([contentId(config(0))]));
  });

  it('leaves instances as they are when it is aborted, but no hole', async () => {
    const job = await runningJob(4);
    const wanted = config(1);
    const updateId = await start(job, [[wanted, [[0, 3]]]], batches(2));
    // The old tasks are told to end and have not answered yet.
    await world.run();
    expect((await active(job)).map(({ state }) => state)).toEqual([
      'KILLING',
      'KILLING',
      'RUNNING',
      'RUNNING',
    ]);
    await call(job, updateId, 'abort', { instances: 'hold' });
    await agentsAnswer(job);
    expect((await record(job, updateId)).update.status).toBe('ABORTED');
    expect((await active(job)).map(({ state, configId }) => [state, configId])).toEqual([
      ['RUNNING', contentId(wanted)],
      ['RUNNING', contentId(wanted)],
      ['RUNNING', contentId(config(0))],
      ['RUNNING', contentId(config(0))],
    ]);
    const stored = await world.store.getJob(job);
    expect([stored?.updateId, stored?.refills]).toEqual([undefined, []]);
    const [execution] = world.workflows.executions.values();
    expect(execution?.position.at).toBe('end');
  });

  it('refuses other changes of its job meanwhile, with its id', async () => {
    const job = await runningJob(3);
    const updateId = await start(job, [[config(1), [[0, 2]]]], batches(1, watched));
    await agentsAnswer(job);
    for (const [method, path, body] of [
      ['POST', `${pathOf(job)}/kill`, {}],
      ['POST', `${pathOf(job)}/restart`, {}],
      ['POST', `${pathOf(job)}/instances`, { count: 1 }],
    ] as const) {
      const answer = await world.call(method, path, { body });
      expect([path, answer.status, answer.body.details?.updateId ?? answer.body.detail]).toEqual([
        path,
        409,
        expect.stringContaining(updateId),
      ]);
    }
  });

  it('takes down no more than its batch when others are down already', async () => {
    const job = await runningJob(6);
    const updateId = await start(job, [[config(1), [[0, 5]]]], batches(2, watched));
    await agentsAnswer(job);
    // Instance 5 dies, and its replacement does not come up; so only one of the next two may go.
    const victim = (await active(job)).find(({ instance }) => instance === 5);
    await world.report([statusReport(victim?.agentId ?? '', [[victim?.taskId ?? '', 'FAILED']])]);
    const slow = (task: Task) => (task.instance === 5 ? 'stay' : 'run');
    await agentsAnswer(job, slow);
    world.now += 45_001;
    // While the others stay killed.
    await world.run();
    const states = (await active(job)).map(({ instance, state }) => [instance, state]);
    expect(states.filter(([, state]) => state === 'KILLING')).toEqual([[2, 'KILLING']]);
    for (let i = 0; i < 8; i++) {
      await agentsAnswer(job);
      world.now += 45_001;
    }
    expect((await record(job, updateId)).update.status).toBe('ROLLED_FORWARD');
  });
});

describe('an update whose job was taken from it by hand', () => {
  it('ends and says so, instead of going on for ever', async () => {
    const job = await runningJob(2);
    const updateId = await start(
      job,
      [[config(1), [[0, 1]]]],
      batches(1, { minWaitInInstanceRunningMs: 1000 }),
    );
    await agentsAnswer(job);
    const { updateId: _id, ...free } = (await world.store.getJob(job)) ?? (undefined as never);
    const { specVersion, reconciledVersion } = free;
    await world.store.updateJob(free, { specVersion, reconciledVersion });
    world.now += 1000;
    await agentsAnswer(job);
    const { update } = await record(job, updateId);
    expect([update.status, update.events.at(-1)?.message]).toEqual([
      'ERROR',
      expect.stringContaining('does not name this update'),
    ]);
  });
});
