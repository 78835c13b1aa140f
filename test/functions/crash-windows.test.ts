// Windows of docs/reference/crash-windows.md in which a function really dies: after one call of the store, or before it,
// and then what is promised there to heal it happens, and nothing else.
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { drainTimer } from '../../functions/messages.ts';
import { fireTimer } from '../../functions/timers/fire-timer.ts';
import { contentId } from '../../shared/lib/hash.ts';
import type { DocumentSender } from '../../shared/store/connection.ts';
import type { Store } from '../../shared/store/port.ts';
import { embeddedEngine } from '../contract/engines.ts';
import { makeConfig, makeJob, makeTask, t0 } from '../contract/fixtures.ts';
import { changed, replace, roomyAgent, service } from './support/update-calls.ts';
import {
  createWorld,
  pathOf,
  queues,
  registration,
  smallResources,
  statusReport,
  submission,
  type World,
} from './support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.stop();
});

type Method = keyof Store;

/** The next call of this method is the last that its caller makes: it does what it should, and nothing follows. */
function dieAfter(method: Method, isIt: (...input: never[]) => boolean = () => true): () => number {
  return die(method, isIt, true);
}

/** The caller dies just before its next call of this method. */
function dieBefore(method: Method): () => number {
  return die(method, () => true, false);
}

/** Answers how often it happened. */
function die(method: Method, isIt: (...input: never[]) => boolean, done: boolean): () => number {
  const all = world.store as unknown as Record<string, (...input: never[]) => Promise<unknown>>;
  const real = all[method]?.bind(world.store);
  if (!real) throw new Error(method);
  let deaths = 0;
  vi.spyOn(all, method).mockImplementation(async (...input) => {
    if (deaths > 0 || !isIt(...input)) return real(...input);
    deaths++;
    if (done) await real(...input);
    throw new Error('killed');
  });
  return () => deaths;
}

async function submitted(instances = 3) {
  const job = submission({
    configs: [{ instances: [[0, instances - 1]], task: makeConfig({ resources: smallResources }) }],
  });
  await world.call('POST', pathOf(job), { body: job });
  return job;
}
type Job = ReturnType<typeof submission>;

const statesOf = async (job: Job) => (await world.tasks(job)).map(({ state }) => state);

/** Everything moves, and agents do as they are told, until nothing is left to do. */
async function settle(job: Job): Promise<void> {
  for (let round = 0; round < 50; round++) {
    await world.run();
    const reports = (await world.tasks(job)).flatMap(({ taskId, agentId = '', state }) => {
      if (state === 'KILLING') return [statusReport(agentId, [[taskId, 'KILLED']])];
      if (state === 'ASSIGNED') return [statusReport(agentId, [[taskId, 'RUNNING']])];
      return [];
    });
    if (reports.length === 0) return;
    world.now += 10;
    await world.report(reports);
  }
  throw new Error('it does not settle');
}

describe('the API that dies while it takes a job', () => {
  it.each([0, 7, 40])('after %i requests: the repeat creates it whole', async (survived) => {
    const tables = await embeddedEngine();
    try {
      const sender = DynamoDBDocumentClient.from(tables.client, {
        marshallOptions: { removeUndefinedValues: true },
      });
      let sent = 0;
      const dying: DocumentSender = {
        send: ((command: never) =>
          sent++ < survived
            ? sender.send(command)
            : Promise.reject(new Error('killed'))) as typeof sender.send,
      };
      // Of these, 90 are in the transaction; the others are written before it, one by one.
      const all = Array.from({ length: 130 }, (_, priority) => makeConfig({ priority }));
      const configs = new Map(all.map((one) => [contentId(one), one]));
      const job = makeJob();
      await expect(tables.store({ client: dying }).createJob({ job, configs })).rejects.toThrow('killed');
      expect(sent).toBeGreaterThan(survived);
      const store = tables.store();
      expect(await store.getJob(job)).toBeUndefined();
      expect(await store.createJob({ job, configs })).toEqual({ kind: 'created' });
      expect(await store.getJob(job)).toEqual(job);
      expect((await store.getConfigs(job, [...configs.keys()])).size).toBe(130);
    } finally {
      await tables.stop();
    }
  });
});

describe('a reconcile that dies', () => {
  it('between the last tasks and the mark on the job is marked by the next, which makes nothing', async () => {
    const job = await submitted();
    const deaths = dieBefore('updateJob');
    await expect(world.reconcile(job)).rejects.toThrow('killed');
    expect(deaths()).toBe(1);
    const made = await world.tasks(job);
    expect(made).toHaveLength(3);
    const before = await world.store.getJob(job);
    expect(before?.reconciledVersion).not.toBe(before?.specVersion);
    await world.reconcile(job);
    const after = await world.store.getJob(job);
    expect(after?.reconciledVersion).toBe(after?.specVersion);
    expect((await world.tasks(job)).map(({ taskId }) => taskId)).toEqual(made.map(({ taskId }) => taskId));
  });
});

describe('a matcher that dies', () => {
  it('between the assignments and the reasons writes them in the next round', async () => {
    const job = await submitted(1);
    await world.reconcile(job);
    const deaths = dieBefore('putReasons');
    await world.match('default');
    expect(deaths()).toBe(1);
    const reasons = async () => JSON.stringify((await world.call('GET', `${pathOf(job)}/why`)).body);
    const without = await reasons();
    world.now += 60_000;
    await world.match('default');
    expect(await reasons()).not.toBe(without);
  });
});

describe('the intake of reports that dies', () => {
  it('between a registration and the statuses of its batch applies them when they come again', async () => {
    await world.report([registration('a1')]);
    const job = await submitted(1);
    await world.run();
    const [task] = await world.tasks(job);
    const batch = [registration('a2'), statusReport('a1', [[task?.taskId ?? '', 'RUNNING']])];
    const deaths = dieBefore('transitionAll');
    expect(await world.report(batch)).not.toEqual([]);
    expect(deaths()).toBe(1);
    expect((await world.call('GET', '/agents/a2')).status).toBe(200);
    expect(await statesOf(job)).toEqual(['ASSIGNED']);
    expect(await world.report(batch)).toEqual([]);
    expect(await statesOf(job)).toEqual(['RUNNING']);
  });

  it('between the statuses and the kill of a stray kills it when the message comes again', async () => {
    await world.report([registration('a1')]);
    const task = makeTask({ state: 'LOST', agentId: 'a1', events: [{ state: 'LOST', at: t0 }] });
    await world.store.insertTasks([task]);
    const stray = statusReport('a1', [[task.taskId, 'RUNNING']]);
    world.agents.failing.add('a1');
    expect(await world.report([stray])).toHaveLength(1);
    world.agents.failing.clear();
    expect(await world.report([stray])).toEqual([]);
    expect(world.agents.of('a1')).toEqual([{ v: 1, kind: 'kill', taskIds: [task.taskId] }]);
  });
});

describe('a timer that dies', () => {
  it('between the kill and the next timer sends both when its message comes again', async () => {
    const grant = { gpus: [], ports: {} };
    const task = makeTask({ state: 'KILLING', agentId: 'a1', grant, events: [{ state: 'KILLING', at: t0 }] });
    await world.store.insertTasks([task]);
    const fire = () =>
      fireTimer(
        { v: 1, kind: 'killRetry', taskId: task.taskId, previousMs: 20_000 },
        {
          store: world.store,
          messages: world.messages,
          agents: world.agents,
          timersQueueUrl: queues.timers,
          jobsQueueUrl: queues.jobs,
          ...world.common,
        },
      );
    world.messages.failing.add(queues.timers);
    await expect(fire()).rejects.toThrow('down');
    expect(world.messages.bodies(queues.timers)).toEqual([]);
    world.messages.failing.clear();
    await fire();
    expect(world.agents.of('a1')).toHaveLength(2);
    expect(world.messages.bodies(queues.timers)).toHaveLength(1);
  });
});

describe('an update whose worker dies', () => {
  const settings = { strategy: { kind: 'batch' as const, groupSize: 1 }, minWaitInInstanceRunningMs: 0 };

  async function started() {
    await world.report([roomyAgent()]);
    const job = service();
    await world.call('POST', pathOf(job), { body: job });
    await settle(job);
    const body = { ...replace(changed(job)), settings };
    const answer = await world.call('POST', `${pathOf(job)}/updates`, { body });
    expect(answer).toMatchObject({ status: 202 });
    return { job, updateId: String(answer.body.update.updateId) };
  }

  const statusOf = async (job: Job, updateId: string) =>
    (await world.store.getUpdate(job, updateId))?.update.status;

  it.each<[string, () => () => number, boolean]>([
    ['between its record and what it records', () => dieBefore('transitionAll'), true],
    ['between the callback and the look at the batch', () => dieAfter('putCallback'), false],
    ['between the answer and the end of the callback', () => dieBefore('dropCallback'), true],
    [
      'between the handing over and its answer',
      () =>
        dieAfter(
          'writeUpdate',
          (({ newExecution }: { newExecution?: true }) => newExecution === true) as never,
        ),
      false,
    ],
  ])('%s goes on where it was, each instance replaced once', async (_when, arrange, comesAgain) => {
    world.turnsPerExecution = 2;
    const { job, updateId } = await started();
    const deaths = arrange();
    await expect(settle(job)).rejects.toThrow();
    expect(deaths()).toBe(1);
    // What was at work comes again; an execution waits on, and the sweep sees to it.
    if (comesAgain) await world.redeliver();
    for (let minute = 0; minute < 5 && (await statusOf(job, updateId)) !== 'ROLLED_FORWARD'; minute++) {
      world.now += 61_000;
      await world.sweep();
      await settle(job);
    }
    expect(await statusOf(job, updateId)).toBe('ROLLED_FORWARD');
    const tasks = await world.tasks(job);
    expect(tasks.filter(({ state }) => state === 'RUNNING').map(({ generation }) => generation)).toEqual(
      Array(3).fill(2),
    );
    expect(tasks).toHaveLength(6);
  });

  it('the sweep that dies between putting off its look and the wake-up wakes it at the next look', async () => {
    const { updateId } = await started();
    await world.run();
    world.now += 61_000;
    world.messages.failing.add(queues.jobs);
    await expect(world.sweep()).rejects.toThrow();
    world.messages.failing.clear();
    const before = world.messages.bodies(queues.jobs).length;
    world.now += 61_000;
    await world.sweep();
    const woken = world.messages.bodies(queues.jobs).slice(before);
    expect(JSON.stringify(woken)).toContain(updateId);
  });
});

describe('a drain', () => {
  it('whose request dies after its write is under way, and may be asked for again', async () => {
    await world.report([registration('a1')]);
    const deaths = dieAfter('setAgentMode');
    const drain = () => world.call('POST', '/agents/a1/drain', { body: { deadlineSecs: 600 } });
    expect((await drain()).status).toBeGreaterThanOrEqual(500);
    expect(deaths()).toBe(1);
    world.now += 1000;
    // The stream has the write, so its pass is asked for whatever became of the answer.
    await world.run();
    expect(world.messages.bodies(queues.timers)).toContainEqual(JSON.parse(drainTimer(world.now).body));
    expect((await drain()).status).toBeLessThan(300);
    expect(await world.drain()).toMatchObject({ draining: 1 });
  });
});
