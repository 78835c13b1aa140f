// A small history in which all is well: a service that loses an instance with its agent, batch work, a job that is killed
// while one instance waits, an update. The tests of the rules spoil it in one place each.
import type { JobView, TaskView } from '../../shared/api/views.ts';
import type { BusEvent, EventDetail } from '../../shared/model/events.ts';
import type { TaskState } from '../../shared/model/task.ts';
import type { FinalJob, Heard, History, Run } from './history.ts';

/** Start of the run, epoch ms; the times in lives are milliseconds after it. */
export const t0 = Date.UTC(2027, 0, 1);

interface Life {
  readonly name: string;
  readonly instance: number;
  readonly generation: number;
  readonly agentId?: string;
  readonly mark?: string;
  readonly steps: readonly (readonly [TaskState | 'DELETED', number])[];
}

const common = { version: 1 as const, cluster: 'local' };
const key = (name: string) => ({ role: 'demo', environment: 'devel', name });

/** The id a life's task has. */
export function idOf({ name, instance, generation }: Pick<Life, 'name' | 'instance' | 'generation'>): string {
  return `demo~devel~${name}~${instance}~${generation}~suffix`;
}

/** One change as an event of the bus. */
export function told(life: Life, from: TaskState | null, to: TaskState | 'DELETED', at: number): Heard {
  const detail: EventDetail<'Task State Change'> = {
    ...common,
    ...key(life.name),
    taskId: idOf(life),
    instance: life.instance,
    generation: life.generation,
    from,
    to,
    at: new Date(t0 + at).toISOString(),
    message: '',
    agentId: from === null ? null : (life.agentId ?? null),
    configId: life.mark ?? 'v1',
    failureCount: 0,
  };
  return { heardAt: t0 + at + 20, event: { detailType: 'Task State Change', detail } };
}

function eventsOf(life: Life): Heard[] {
  return life.steps.map(([to, at], index) => {
    const from = (life.steps[index - 1]?.[0] ?? null) as TaskState | null;
    return told(life, from, to, at);
  });
}

/** No two lives have the same. */
function portOf(life: Life): number {
  return 31_000 + Object.values(lives).findIndex((one) => idOf(one) === idOf(life));
}

/** The task as the API shows it: swings of its link left out. */
function viewOf(life: Life, events: Life['steps'] = life.steps): TaskView {
  const states = events.map(([state, at]) => ({
    state: state as TaskState,
    at: new Date(t0 + at).toISOString(),
    message: '',
  }));
  const { instance, generation, agentId = null } = life;
  return {
    ...key(life.name),
    instance,
    generation,
    taskId: idOf(life),
    state: states.at(-1)?.state ?? 'PENDING',
    agentId,
    configId: life.mark ?? 'v1',
    failureCount: 0,
    ancestorId: null,
    resources: { cpuMilli: 400, ramMb: 64, diskMb: 16, gpus: 0, gpuMilli: 0, gpuModels: [], ports: ['http'] },
    grant: agentId === null ? null : { gpus: [], ports: { http: portOf(life) } },
    createdAt: states[0]?.at ?? '',
    deadlineAt: null,
    events: states,
  };
}

function finalJob(name: string, service: boolean, desired: JobView['desired'], tasks: TaskView[]): FinalJob {
  const at = new Date(t0).toISOString();
  const job: JobView = {
    ...key(name),
    key: `local/demo/devel/${name}`,
    cluster: 'local',
    service,
    tier: 'preferred',
    priority: 0,
    instances: desired.length,
    desired,
    specVersion: 3,
    reconciled: true,
    contact: null,
    metadata: {},
    createdBy: 'somebody',
    createdAt: at,
    updatedAt: at,
  };
  return { job, tasks, marks: { v1: 'v1', v2: 'v2' }, constraints: {}, maxTaskFailures: 1 };
}

const started: Life['steps'] = [
  ['PENDING', 100],
  ['ASSIGNED', 200],
  ['STARTING', 300],
  ['RUNNING', 300],
];

/** The lives of the sample, by what they show. */
export const lives = {
  lost: { name: 'web', instance: 0, generation: 1, agentId: 'a', steps: [...started, ['LOST', 40_000]] },
  replacing: {
    name: 'web',
    instance: 0,
    generation: 2,
    agentId: 'b',
    steps: [
      ['PENDING', 40_000],
      ['ASSIGNED', 40_100],
      ['STARTING', 40_200],
      ['RUNNING', 40_250],
    ],
  },
  swinging: {
    name: 'web',
    instance: 1,
    generation: 1,
    agentId: 'b',
    steps: [
      ...started,
      ['PARTITIONED', 10_000],
      ['RUNNING', 12_000],
      ['PARTITIONED', 14_000],
      ['RUNNING', 16_000],
    ],
  },
  finished: {
    name: 'sum',
    instance: 0,
    generation: 1,
    agentId: 'a',
    steps: [...started, ['FINISHED', 5000]],
  },
  killed: {
    name: 'old',
    instance: 0,
    generation: 1,
    agentId: 'a',
    steps: [...started, ['KILLING', 6000], ['KILLED', 6500]],
  },
  removed: {
    name: 'old',
    instance: 1,
    generation: 1,
    steps: [
      ['PENDING', 100],
      ['DELETED', 6100],
    ],
  },
  outdated: {
    name: 'shop',
    instance: 0,
    generation: 1,
    agentId: 'a',
    steps: [...started, ['KILLING', 50_000], ['KILLED', 50_400]],
  },
  updated: {
    name: 'shop',
    instance: 0,
    generation: 2,
    agentId: 'a',
    mark: 'v2',
    steps: [
      ['PENDING', 50_500],
      ['ASSIGNED', 50_600],
      ['STARTING', 50_700],
      ['RUNNING', 50_800],
    ],
  },
} as const satisfies Readonly<Record<string, Life>>;

function run(life: Life, what: Run['what'], at: number): Run {
  return { taskId: idOf(life), what, agentId: life.agentId ?? '', at: t0 + at };
}

const agentChange = (agentId: string, change: 'lost' | 'returned'): BusEvent => ({
  detailType: 'Agent Change',
  detail: { ...common, agentId, change, host: agentId, pool: 'default', mode: 'NONE' },
});

const sumEnded: BusEvent = {
  detailType: 'Job Ended',
  detail: {
    ...common,
    ...key('sum'),
    specVersion: 1,
    outcome: 'succeeded',
    instances: { finished: 1, failed: 0, killed: 0, lost: 0 },
    at: new Date(t0 + 5000).toISOString(),
  },
};

const call = (name: string, from: number, specVersion: number) => ({
  job: `demo/devel/${name}`,
  startedAt: t0 + from,
  endedAt: t0 + from + 30,
  outcome: 'accepted' as const,
  specVersion,
});
const wanted = (instances: number, mark = 'v1') => [
  { instances: [[0, instances - 1] as [number, number]], mark },
];

/** The whole of it. */
export function sampleHistory(): History {
  const { lost, replacing, swinging, finished, killed, outdated, updated } = lives;
  const all: readonly Life[] = Object.values(lives);
  const desired = (from: number, to: number, configId = 'v1') => ({
    instances: [from, to] as [number, number],
    configId,
  });
  const swingLeftOut = swinging.steps.filter((_step, index) => index !== 4 && index !== 5);
  // Delivered twice and backwards, as a bus may.
  const heard = [...all.flatMap(eventsOf), ...eventsOf(swinging)].toReversed();
  return {
    from: t0,
    to: t0 + 80_000,
    limits: {
      timeoutsMs: {
        ASSIGNED: 10_000,
        STARTING: 10_000,
        PREEMPTING: 10_000,
        RESTARTING: 10_000,
        DRAINING: 10_000,
        KILLING: 10_000,
      },
      lostAfterMs: 10_000,
      reportsArriveMs: 4000,
      sweepEveryMs: 2000,
      slackMs: 3000,
      clockMs: 500,
      graceMs: 10_000,
    },
    agents: ['a', 'b'].map((agentId) => ({ agentId, cpuMilli: 1600, ramMb: 1024, diskMb: 1024 })),
    calls: [
      { ...call('web', 0, 1), asked: { kind: 'create', wanted: wanted(1) } },
      { ...call('web', 50, 2), asked: { kind: 'add', count: 1 } },
      { ...call('sum', 0, 1), asked: { kind: 'create', wanted: wanted(1) } },
      { ...call('old', 0, 1), asked: { kind: 'create', wanted: wanted(2) } },
      { ...call('old', 5900, 2), asked: { kind: 'kill' } },
      { ...call('shop', 0, 1), asked: { kind: 'create', wanted: wanted(1) } },
      { ...call('shop', 49_000, 2), asked: { kind: 'update', wanted: wanted(1, 'v2') }, updateId: 'u1' },
    ],
    heard: [
      ...heard,
      { heardAt: t0 + 5050, event: sumEnded },
      { heardAt: t0 + 40_000, event: agentChange('a', 'lost') },
      { heardAt: t0 + 45_000, event: agentChange('a', 'returned') },
    ],
    faults: [
      { kind: 'kill', agentId: 'b', from: t0 + 1000, to: t0 + 11_500 },
      { kind: 'pause', agentId: 'a', from: t0 + 25_000, to: t0 + 44_000 },
    ],
    samples: [
      // Paused, so that what was replaced runs on.
      { from: t0 + 43_000, to: t0 + 43_100, taskIds: [lost, replacing, swinging, outdated].map(idOf) },
      { from: t0 + 80_000, to: t0 + 80_100, taskIds: [replacing, swinging, updated].map(idOf) },
    ],
    runs: [
      ...all
        .filter((life) => life.agentId !== undefined)
        .map((life) => run(life, 'start', (life.steps[1]?.[1] ?? 0) + 50)),
      run(finished, 'end', 4900),
    ],
    jobs: [
      finalJob(
        'web',
        true,
        [desired(0, 1)],
        [viewOf(lost), viewOf(replacing), viewOf(swinging, swingLeftOut)],
      ),
      finalJob('sum', false, [desired(0, 0)], [viewOf(finished)]),
      finalJob('old', true, [], [viewOf(killed)]),
      finalJob('shop', true, [desired(0, 0, 'v2')], [viewOf(outdated), viewOf(updated)]),
    ],
    ledgers: [
      { agentId: 'a', cpuMilli: 1200, ramMb: 960, diskMb: 1008, taskIds: [idOf(updated)] },
      { agentId: 'b', cpuMilli: 800, ramMb: 896, diskMb: 992, taskIds: [swinging, replacing].map(idOf) },
    ],
    updates: [{ job: 'demo/devel/shop', updateId: 'u1', status: 'ROLLED_FORWARD' }],
  };
}
