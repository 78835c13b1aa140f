// What shares the queue of jobs: each message reaches its own kind of work, and a failure of one stays its own.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JobWorkDeps, processJobMessages } from '../../../functions/job-worker/process-messages.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { drainTimer, drainWake, reconcileWake, updateWake } from '../../../functions/messages.ts';
import type { OutgoingMessage } from '../../../functions/ports.ts';
import { processTimers } from '../../../functions/timers/process-timers.ts';
import { createUpdateAlarms } from '../../../functions/updater/alarms.ts';
import { createInstanceReader } from '../../../functions/updater/read-instances.ts';
import { type JobWork, jobWorkSchema } from '../../../shared/model/wake.ts';
import { unique } from '../../contract/fixtures.ts';
import { sqsEvent } from '../support/fakes.ts';
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

const queueUrls = { jobsQueueUrl: queues.jobs, timersQueueUrl: queues.timers };

function deps(over: Partial<World['store']> = {}): JobWorkDeps {
  const { common, messages, workflows, log } = world;
  const store = { ...world.store, ...over };
  const updater = {
    ...common,
    store,
    readInstances: createInstanceReader(store, common.clock),
    configs: createConfigCache(store),
    workflows,
    alarms: createUpdateAlarms(messages, queues.timers, common.clock),
    turnsPerExecution: 1000,
  };
  const worker = { ...common, store };
  return { reconciler: worker, drainer: worker, updater, messages, ...queueUrls, log };
}

async function work(
  messages: readonly OutgoingMessage[],
  over: Partial<World['store']> = {},
): Promise<string[]> {
  const answer = await processJobMessages(
    sqsEvent(messages.map(({ body }) => body)),
    () => 60_000,
    deps(over),
  );
  return answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

async function submitted() {
  const job = submission();
  await world.call('POST', pathOf(job), { body: job });
  return job;
}

describe('a message of the queue of jobs', () => {
  const key = { role: 'web', environment: 'prod', name: 'api' };
  it.each<[string, OutgoingMessage, JobWork]>([
    ['a reconcile', reconcileWake(key), { v: 1, key }],
    ['news for an update', updateWake(key, 'u1', [3]), { v: 1, key, updateId: 'u1', instances: [3] }],
    ['a pass', drainWake(7), { v: 1, drain: 'agents' }],
  ])('of %s is read as what it is', (_what, { body }, expected) => {
    expect(jobWorkSchema.parse(JSON.parse(body))).toEqual(expected);
  });

  it('waits for nothing but its own kind of work on its own job', () => {
    const other = { ...key, name: 'other' };
    const long = { ...key, name: 'n'.repeat(200) };
    const groups = [
      reconcileWake(key),
      updateWake(key, 'u1', []),
      reconcileWake(other),
      updateWake(other, 'u2', []),
      reconcileWake(long),
      updateWake(long, 'u3', []),
      drainWake(1),
    ].map(({ groupId = '' }) => groupId);
    expect(new Set(groups).size).toBe(groups.length);
    expect(groups.filter((group) => group.length > 128)).toEqual([]);
    expect(reconcileWake(key).groupId).toBe(reconcileWake({ ...key }).groupId);
    expect(updateWake(key, 'u1', []).groupId).toBe(updateWake(key, 'u9', [1]).groupId);
    expect(drainWake(1).groupId).toBe(drainWake(2).groupId);
  });
});

describe('one batch', () => {
  it('is worked on to the end although a part of it fails, and only that part comes again', async () => {
    const job = await submitted();
    const lost = async () => Promise.reject(new Error('the index is gone'));
    const failed = await work([drainWake(1), reconcileWake(job), updateWake(job, 'gone', [])], {
      listDraining: lost,
    });
    expect(failed).toEqual(['m0']);
    expect(await world.tasks(job)).toHaveLength(3);
  });

  it('fails for one job and not for the other', async () => {
    const [good, bad] = [await submitted(), await submitted()];
    const failed = await work([reconcileWake(bad), reconcileWake(good), reconcileWake(bad)], {
      getJob: async (key) => {
        if (key.name === bad.name) throw new Error('the row cannot be read');
        return world.store.getJob(key);
      },
    });
    expect(failed).toEqual(['m0', 'm2']);
    expect(await world.tasks(good)).toHaveLength(3);
  });

  it('tells an update all its news at once', async () => {
    const reads: string[] = [];
    const key = { role: 'web', environment: 'prod', name: unique('job') };
    await work([updateWake(key, 'u1', [1]), updateWake(key, 'u1', [2]), updateWake(key, 'u2', [])], {
      getCallback: async (updateId) => {
        reads.push(updateId);
        return undefined;
      },
    });
    expect(reads.toSorted()).toEqual(['u1', 'u2']);
  });

  it('that nobody can read is failed, for the dead-letter queue', async () => {
    const broken = [{ body: 'no json' }, { body: '{"v":1}' }, { body: '{"v":1,"drain":"everything"}' }];
    expect(await work(broken)).toEqual(['m0', 'm1', 'm2']);
  });
});

describe('the chain of passes', () => {
  const asked = () => world.messages.sent.filter(({ message: { body } }) => 'slot' in JSON.parse(body));

  /** An agent with one running service instance that is to be emptied. */
  async function draining(): Promise<void> {
    await world.report([registration('a1')]);
    const job = submission({ configs: [{ ...submission().configs[0], instances: [[0, 0]] } as never] });
    await world.call('POST', pathOf(job), { body: job });
    await world.run();
    const [task] = await world.tasks(job);
    await world.report([statusReport('a1', [[task?.taskId ?? '', 'RUNNING']])]);
    await world.call('POST', '/agents/a1/drain', { body: {} });
    await world.run();
    world.messages.take(queues.timers);
  }

  it('goes on, after a pause, while an agent is not empty, and ends with the last one', async () => {
    await draining();
    const before = asked().length;
    expect(await work([drainWake(1)])).toEqual([]);
    expect(asked().slice(before)).toMatchObject([{ queueUrl: queues.timers, message: { delaySeconds: 5 } }]);
    await world.call('POST', '/agents/a1/undrain', { body: {} });
    const then = asked().length;
    expect(await work([drainWake(2)])).toEqual([]);
    expect(asked()).toHaveLength(then);
  });

  it('comes again if the next pass cannot be asked for', async () => {
    await draining();
    world.messages.failing.add(queues.timers);
    expect(await work([drainWake(1)])).toEqual(['m0']);
  });

  it('is one chain, whatever asks for it in the same slot of time', async () => {
    const { common, messages, agents, store } = world;
    const timers = [drainTimer(10_000), drainTimer(14_999), drainTimer(15_000)];
    const timerDeps = { ...common, ...queueUrls, messages, agents, store };
    await processTimers(sqsEvent(timers.map(({ body }) => body)), timerDeps);
    const passes = world.messages.take(queues.jobs);
    expect(passes.map(({ deduplicationId }) => deduplicationId)).toEqual(['agents-2', 'agents-3']);
    expect(new Set(passes.map(({ groupId }) => groupId)).size).toBe(1);
  });
});

describe('two at once on the same job', () => {
  it('make each instance once', async () => {
    const job = await submitted();
    const both = await Promise.all([work([reconcileWake(job)]), work([reconcileWake(job)])]);
    expect(both.flat()).toEqual([]);
    const tasks = await world.tasks(job);
    expect(tasks.map(({ instance }) => instance).toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });
});
