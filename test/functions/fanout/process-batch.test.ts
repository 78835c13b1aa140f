// One stream batch: coalescing, order, and what is sent again after a failure.
import type { DynamoDBRecord } from 'aws-lambda';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ProcessBatchDeps, processBatch } from '../../../functions/fanout/process-batch.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { defaultFlapping } from '../../../shared/domain/task/flapping.ts';
import { defaultHistory } from '../../../shared/domain/task/history.ts';
import { defaultTimeouts } from '../../../shared/domain/task/timeouts.ts';
import { randomIds } from '../../../shared/lib/ports.ts';
import type { Agent } from '../../../shared/model/agent.ts';
import type { EventDetail } from '../../../shared/model/events.ts';
import type { Job } from '../../../shared/model/job.ts';
import type { Task, TaskState } from '../../../shared/model/task.ts';
import type { Timer } from '../../../shared/model/wake.ts';
import { unreadable } from '../../../shared/store/codec/row.ts';
import type { Release, StreamChange } from '../../../shared/store/port.ts';
import { makeConfig, makeJob, makeOffer, makeTask, t0 } from '../../contract/fixtures.ts';
import { FakeAgents, FakeEvents, FakeLog, FakeMeter, FakeQueues } from '../support/fakes.ts';

const queues = {
  matcher: 'matcher.fifo',
  jobs: 'jobs.fifo',
  timers: 'timers',
  intake: 'intake',
};

let messages: FakeQueues;
let agents: FakeAgents;
let events: FakeEvents;
let released: { agentId: string; releases: readonly Release[] }[];
let failingRelease: string | undefined;
let jobs: Map<string, Job>;
let configReads: number;
let endChecks: string[];
let dropped: string[];
let late: { what: string; ageMs: number | undefined }[];
let ended: Map<string, EventDetail<'Job Ended'>>;

beforeEach(() => {
  messages = new FakeQueues();
  agents = new FakeAgents();
  events = new FakeEvents();
  released = [];
  failingRelease = undefined;
  jobs = new Map();
  configReads = 0;
  endChecks = [];
  dropped = [];
  late = [];
  ended = new Map();
  meter = new FakeMeter();
});

let meter: FakeMeter;

function deps(over: Partial<ProcessBatchDeps> = {}): ProcessBatchDeps {
  return {
    store: {
      release: async (agentId, releases) => {
        if (agentId === failingRelease) throw new Error('busy');
        released.push({ agentId, releases });
        return { released: releases.map(({ taskId }) => taskId) };
      },
      getJob: async ({ name }) => jobs.get(name),
      getAgent: async () => undefined,
      transition: async () => ({ kind: 'committed' }),
      listTasks: async () => [],
      dropHistory: async () => 0,
      dropConfigs: async ({ name }) => {
        dropped.push(name);
        return 1;
      },
    },
    configs: createConfigCache({
      getConfigs: async (_key, ids) => {
        configReads++;
        return new Map(ids.map((id) => [id, makeConfig()]));
      },
    }),
    jobEnds: {
      check: async (key) => {
        endChecks.push(key.name);
        return ended.get(key.name);
      },
    },
    messages,
    agents,
    events,
    cluster: 'local',
    queues,
    workflows: { start: async () => undefined },
    history: defaultHistory,
    timeouts: defaultTimeouts,
    flapping: defaultFlapping,
    ids: randomIds,
    clock: () => t0,
    random: () => 0.5,
    log: new FakeLog(),
    meter,
    lateness: async (what, ageMs) => void late.push({ what, ageMs }),
    decode: (record) => {
      const change = (record as unknown as { change: StreamChange | 'poison' }).change;
      if (change === 'poison') throw new Error('unreadable');
      return change;
    },
    ...over,
  };
}

function feed(changes: readonly (StreamChange | 'poison')[], over: Partial<ProcessBatchDeps> = {}) {
  const Records = changes.map((change, index) => {
    return { dynamodb: { SequenceNumber: String(100 + index) }, change } as unknown as DynamoDBRecord;
  });
  return processBatch({ Records }, deps(over));
}

function moved(from: TaskState, to: TaskState, over: Partial<Task> = {}): StreamChange {
  const task = makeTask({ agentId: 'a1', grant: { gpus: [], ports: { http: 31_000 } }, ...over });
  return { kind: 'task', before: { ...task, state: from }, after: { ...task, state: to } };
}

const pending = (pool: string): StreamChange => ({ kind: 'task', after: makeTask({ pool }) });

describe('the probe of a sweep', () => {
  const probe = (sentAt: number): StreamChange => ({ kind: 'probe', sentAt });

  it('goes on behind the reports, the newest for all of a batch', async () => {
    expect(await feed([probe(t0 - 60_000), moved('PENDING', 'ASSIGNED'), probe(t0)])).toEqual({
      batchItemFailures: [],
    });
    expect(messages.bodies(queues.intake)).toEqual([{ v: 1, probe: t0 }]);
  });

  it('waits for all that is before it in its batch', async () => {
    messages.failing.add(queues.matcher);
    expect(await feed([pending('p'), probe(t0)])).toMatchObject({
      batchItemFailures: [{ itemIdentifier: '100' }],
    });
    expect(messages.bodies(queues.intake)).toEqual([]);
    messages.failing.clear();
    messages.failing.add(queues.intake);
    expect(await feed([pending('p'), probe(t0)])).toMatchObject({
      batchItemFailures: [{ itemIdentifier: '101' }],
    });
  });
});

describe('a change that comes late', () => {
  const aged = (change: StreamChange, ageMs: number) => {
    const dynamodb = { SequenceNumber: '100', ApproximateCreationDateTime: (t0 - ageMs) / 1000 };
    return processBatch({ Records: [{ dynamodb, change } as unknown as DynamoDBRecord] }, deps());
  };

  it('is noted before its effects are carried out', async () => {
    messages.send = async () => {
      expect(late).toEqual([{ what: 'changes', ageMs: 61_000 }]);
    };
    await aged(pending('p'), 61_000);
    expect(late).toHaveLength(1);
  });

  it('is in time for a minute, and matters to nobody if nothing follows from it', async () => {
    await aged(pending('p'), 60_000);
    await aged({ kind: 'other' }, 3600_000);
    expect(late).toEqual([]);
  });
});

describe('a record that comes again', () => {
  it('tells of a removal as of the same time, or it would be another event', async () => {
    const before = makeTask({ state: 'PENDING', events: [{ state: 'PENDING', at: t0 }] });
    const change: StreamChange = { kind: 'task', before };
    const dynamodb = { SequenceNumber: '100', ApproximateCreationDateTime: t0 / 1000 + 5 };
    const Records = [{ dynamodb, change } as unknown as DynamoDBRecord];
    for (const lateMs of [6000, 90_000]) await processBatch({ Records }, deps({ clock: () => t0 + lateMs }));
    const times = events.published.map(({ detail }) => 'at' in detail && detail.at);
    expect(times).toEqual(Array(2).fill(new Date(t0 + 5000).toISOString()));
  });

  it('tells of a removal not as of a time before the creation, though streams count whole seconds', async () => {
    const change: StreamChange = {
      kind: 'task',
      before: makeTask({ state: 'PENDING', events: [{ state: 'PENDING', at: t0 + 700 }] }),
    };
    const dynamodb = { SequenceNumber: '100', ApproximateCreationDateTime: t0 / 1000 };
    await processBatch({ Records: [{ dynamodb, change } as unknown as DynamoDBRecord] }, deps());
    expect(events.published).toMatchObject([{ detail: { at: new Date(t0 + 700).toISOString() } }]);
  });
});

describe('what nobody needs', () => {
  it('are the configs of a job that is gone, not those of one that was changed', async () => {
    const [gone, kept] = [makeJob(), makeJob()];
    await feed([
      { kind: 'job', before: gone },
      { kind: 'job', before: kept, after: { ...kept, specVersion: kept.specVersion + 1 } },
    ]);
    expect(dropped).toEqual([gone.name]);
  });
});

describe('coalescing', () => {
  it('asks once per job whether it has ended, and tells it after the events of its tasks', async () => {
    const end: EventDetail<'Job Ended'> = {
      version: 1,
      cluster: 'local',
      role: 'www-data',
      environment: 'prod',
      name: 'batch',
      specVersion: 1,
      outcome: 'succeeded',
      instances: { finished: 3, failed: 0, killed: 0, lost: 0 },
      at: new Date(t0).toISOString(),
    };
    ended.set('batch', end);
    const finished = (name: string) => moved('RUNNING', 'FINISHED', { name, service: false });
    await feed([finished('batch'), finished('other'), finished('batch')]);
    expect(endChecks).toEqual(['batch', 'other']);
    expect(events.published.map(({ detailType }) => detailType)).toEqual([
      'Task State Change',
      'Task State Change',
      'Task State Change',
      'Job Ended',
    ]);
  });

  it('wakes each pool once, in its own message group, with a message that stands for any amount of work', async () => {
    await feed([pending('p1'), pending('p1'), pending('p2'), moved('RUNNING', 'FAILED', { pool: 'p2' })]);
    const sent = messages.sent.filter(({ queueUrl }) => queueUrl === queues.matcher);
    expect(sent.map(({ message }) => [message.groupId, JSON.parse(message.body)])).toEqual([
      ['p1', { v: 1, pool: 'p1' }],
      ['p2', { v: 1, pool: 'p2' }],
    ]);
  });

  it('sends one launch message per agent and reads each config once', async () => {
    const launches = Array.from({ length: 6 }, (_, index) =>
      moved('PENDING', 'ASSIGNED', { agentId: index < 4 ? 'a1' : 'a2', instance: index }),
    );
    await feed(launches);
    expect(agents.sent.map(({ agentId, command }) => `${agentId} ${command.kind}`).sort()).toEqual([
      'a1 launch',
      'a2 launch',
    ]);
    const [first] = agents.of('a1');
    expect(first?.kind === 'launch' && first.tasks.map(({ instance }) => instance)).toEqual([0, 1, 2, 3]);
    expect(first?.kind === 'launch' && first.tasks[0]).toMatchObject({
      cluster: 'local',
      grant: { ports: { http: 31_000 } },
      config: { pool: 'default' },
    });
    expect(configReads).toBe(1);
  });

  it('keeps the order of the commands of one agent', async () => {
    const [one, two, three] = [
      makeTask({ instance: 1 }),
      makeTask({ instance: 2 }),
      makeTask({ instance: 3 }),
    ];
    await feed(
      [
        moved('PENDING', 'ASSIGNED', one),
        moved('PENDING', 'ASSIGNED', two),
        moved('ASSIGNED', 'KILLING', one),
        moved('PENDING', 'ASSIGNED', three),
      ].map((change) => withAgent(change)),
    );
    expect(
      agents
        .of('a1')
        .map((command) =>
          command.kind === 'launch'
            ? command.tasks.map(({ taskId }) => taskId)
            : command.kind === 'kill' && command.taskIds,
        ),
    ).toEqual([[one.taskId, two.taskId], [one.taskId], [three.taskId]]);
  });

  it('splits launches so that no message is too large', async () => {
    const config = makeConfig({
      processes: [{ ...makeConfig().processes[0], name: 'big', cmdline: 'x'.repeat(60_000) } as never],
    });
    const configs = createConfigCache({
      getConfigs: async (_key, ids) => new Map(ids.map((id) => [id, config])),
    });
    await feed(
      Array.from({ length: 7 }, (_, instance) => moved('PENDING', 'ASSIGNED', { instance })),
      { configs },
    );
    const sizes = agents.of('a1').map((command) => Buffer.byteLength(JSON.stringify(command)));
    expect(sizes.length).toBe(3);
    expect(Math.max(...sizes)).toBeLessThan(205_000);
  });

  it('gives back what the tasks of one agent held in one write', async () => {
    await feed([moved('RUNNING', 'FINISHED'), moved('RUNNING', 'FAILED'), moved('KILLING', 'KILLED')]);
    expect(released.map(({ agentId, releases }) => [agentId, releases.length])).toEqual([['a1', 3]]);
  });

  it('arms timers with the delay that is left, at most 15 minutes', async () => {
    const throttled = (dueAt: number): StreamChange => ({
      kind: 'task',
      after: makeTask({ state: 'THROTTLED', deadlineAt: dueAt }),
    });
    await feed([
      throttled(t0 + 30_500),
      throttled(t0 + 3_600_000),
      throttled(t0 - 1),
      moved('RUNNING', 'KILLING'),
    ]);
    expect(messages.sent.map(({ message }) => message.delaySeconds)).toEqual([31, 900, 0, 23]);
    const last = messages.bodies(queues.timers).at(-1) as Timer;
    expect(last).toMatchObject({ kind: 'killRetry', previousMs: 22_500 });
  });

  it('wakes the reconciler after a kill only if the job still waits', async () => {
    const waiting = makeJob({ specVersion: 2, reconciledVersion: 1 });
    const done = makeJob({ specVersion: 2, reconciledVersion: 2 });
    for (const job of [waiting, done]) jobs.set(job.name, job);
    await feed([waiting, done].map((job) => moved('KILLING', 'KILLED', { name: job.name })));
    expect(messages.bodies(queues.jobs)).toEqual([
      { v: 1, key: { role: 'www-data', environment: 'prod', name: waiting.name } },
    ]);
  });

  it('gives a long job path a message group that SQS takes', async () => {
    const job = makeJob({ name: 'n'.repeat(200) });
    await feed([{ kind: 'job', after: job }]);
    expect(messages.sent[0]?.message.groupId).toMatch(/^[0-9a-f]{64}$/);
  });
});

const agent: Agent = { ...makeOffer(), mode: 'NONE', registeredAt: t0, sessionId: 's1' };

describe('failures', () => {
  it('answers nothing when all went well', async () => {
    expect(await feed([pending('p1'), moved('RUNNING', 'FAILED')])).toEqual({ batchItemFailures: [] });
  });

  it('names the first record whose effect failed; the others had their effects', async () => {
    agents.failing.add('a2');
    const answer = await feed([
      pending('p1'),
      moved('PENDING', 'ASSIGNED', { agentId: 'a1' }),
      moved('PENDING', 'ASSIGNED', { agentId: 'a2' }),
      moved('PENDING', 'ASSIGNED', { agentId: 'a2' }),
    ]);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: '102' }] });
    expect(agents.of('a1')).toHaveLength(1);
    expect(messages.sent).toHaveLength(1);
  });

  it('comes again for a release that failed, and for events the bus refused', async () => {
    failingRelease = 'a1';
    expect(await feed([pending('p1'), moved('RUNNING', 'FAILED')])).toEqual({
      batchItemFailures: [{ itemIdentifier: '101' }],
    });
    failingRelease = undefined;
    events.failing = true;
    expect(await feed([pending('p1'), moved('RUNNING', 'FAILED')])).toEqual({
      batchItemFailures: [{ itemIdentifier: '100' }],
    });
    expect(released).toHaveLength(1);
  });

  it('is not held up by a row that cannot be read; what needed it is left out and counted, for an alarm', async () => {
    const { store } = deps();
    const release = () => Promise.reject(unreadable('ledger', { pk: 'L#a1', sk: 'L' }));
    expect(await feed([moved('RUNNING', 'FAILED'), pending('p1')], { store: { ...store, release } })).toEqual(
      {
        batchItemFailures: [],
      },
    );
    expect(meter.counts.get('EffectsLeftOut')).toBe(1);
    expect(messages.bodies(queues.matcher)).toContainEqual({ v: 1, pool: 'p1' });
  });

  it('comes again for each queue that is down', async () => {
    for (const queue of [queues.matcher, queues.jobs, queues.timers]) {
      messages.failing.clear();
      messages.failing.add(queue);
      const changes: StreamChange[] = [
        pending('p1'),
        { kind: 'job', after: makeJob() },
        moved('RUNNING', 'KILLING'),
        { kind: 'agent', before: agent, after: { ...agent, mode: 'DRAINING' } },
      ];
      const expected = {
        [queues.matcher]: '100',
        [queues.jobs]: '101',
        [queues.timers]: '102',
      }[queue];
      expect(await feed(changes)).toEqual({ batchItemFailures: [{ itemIdentifier: expected }] });
      if (queue === queues.timers) {
        expect(await feed(changes.toReversed())).toEqual({ batchItemFailures: [{ itemIdentifier: '100' }] });
      }
    }
  });

  it('isolates a record that cannot be read by halving: the others are done, it alone is left', async () => {
    const batch: (StreamChange | 'poison')[] = [
      pending('p0'),
      pending('p1'),
      'poison',
      pending('p3'),
      pending('p4'),
    ];
    const discarded: string[] = [];
    // What Lambda does with bisectBatchOnFunctionError and ReportBatchItemFailures, until one record is left.
    const deliver = async (from: number, to: number): Promise<void> => {
      const { batchItemFailures } = await feed(batch.slice(from, to));
      const failed = batchItemFailures[0]?.itemIdentifier;
      if (failed === undefined) return;
      const at = from + Number(failed) - 100;
      if (to - at === 1) {
        discarded.push(String(at));
        return;
      }
      const middle = at + Math.ceil((to - at) / 2);
      await deliver(at, middle);
      await deliver(middle, to);
    };
    await deliver(0, batch.length);
    expect(discarded).toEqual(['2']);
    const woken = messages.bodies(queues.matcher).map((body) => (body as { pool: string }).pool);
    expect([...new Set(woken)].sort()).toEqual(['p0', 'p1', 'p3', 'p4']);
  });
});

function withAgent(change: StreamChange): StreamChange {
  if (change.kind !== 'task') return change;
  const agent = { agentId: 'a1', grant: { gpus: [], ports: {} } };
  return {
    kind: 'task',
    ...(change.before && { before: { ...change.before, ...agent } }),
    ...(change.after && { after: { ...change.after, ...agent } }),
  };
}
