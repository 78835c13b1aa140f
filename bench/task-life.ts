// One whole life of some tasks through the store, counting the write units of each step as the engine reports them.
import { takeAll } from '../shared/domain/placement/ledger.ts';
import { formatTaskId } from '../shared/model/job-key.ts';
import type { Task, TaskState } from '../shared/model/task.ts';
import type { CapacityMeter, Store } from '../shared/store/port.ts';

export interface TaskLife {
  /** Write units per task by step, in order. */
  readonly units: ReadonlyMap<string, number>;
  readonly perTask: number;
}

const startedAt = 1_800_000_000_000;
let lives = 0;

/** PENDING to FINISHED and release, `count` tasks on one agent in one assignment and one release. */
export async function measureTaskLife(
  makeStore: (meter: CapacityMeter) => Store,
  count: number,
): Promise<TaskLife> {
  const units = new Map<string, number>();
  let step = '';
  const store = makeStore({
    add: (_operation, _table, writes) => units.set(step, (units.get(step) ?? 0) + writes / count),
  });
  const run = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    step = name;
    return work();
  };
  const name = `life-${process.pid}-${++lives}`;
  const tasks = Array.from({ length: count }, (_, instance) => waiting(name, instance));
  const { agentId, ledger } = await run('(agent)', () => newAgent(store, name));
  // The pool's entry is written once per pool and process, not per task.
  await run('(pool)', () => store.insertTasks([waiting(`${name}-first`, 0)]));
  await run('PENDING', () => store.insertTasks(tasks));
  const placements = tasks.map((task, index) => ({
    task,
    grant: { gpus: [[index % 4, 200] as [number, number]], ports: { http: 31_000 + index } },
  }));
  const held = placements.map(({ task, grant }) => ({
    taskId: task.taskId,
    resources: task.resources,
    grant,
  }));
  await run('ASSIGNED', () =>
    store.assign([
      {
        agentId,
        ledgerVersion: ledger.version,
        after: { ...takeAll(ledger, held), version: ledger.version + 1 },
        tasks: placements.map(({ task, grant }) => ({ row: { ...task, key: task }, grant })),
        now: startedAt + 1_000,
        deadlineAt: startedAt + 301_000,
      },
    ]),
  );
  for (const state of ['STARTING', 'RUNNING', 'FINISHED'] as const) {
    const before = await store.getTasks(tasks.map(({ taskId }) => taskId));
    await run(state, () => store.transitionAll(before.map((task) => ({ task, next: next(task, state) }))));
  }
  await run('release', () => store.release(agentId, held));
  for (const setUp of ['(agent)', '(pool)', '']) units.delete(setUp);
  return { units, perTask: [...units.values()].reduce((sum, one) => sum + one, 0) };
}

async function newAgent(store: Store, name: string) {
  const agentId = `agent-${name}`;
  const capacity = {
    cpuMilli: 96_000,
    ramMb: 393_216,
    diskMb: 1_000_000,
    gpus: ['V100', 'V100', 'V100', 'V100'],
    portRange: [31_000, 32_000] as [number, number],
  };
  const attributes = { host: [agentId] };
  const offer = { agentId, host: agentId, pool: 'default', capacity, attributes, version: '0' };
  await store.registerAgent(offer, 'session', startedAt);
  const registered = await store.getAgent(agentId);
  if (registered === undefined) throw new Error(`${agentId} did not register`);
  return { agentId, ledger: registered.ledger };
}

function waiting(name: string, instance: number): Task {
  const key = { role: 'www-data', environment: 'prod', name, instance, generation: 1 };
  return {
    ...key,
    taskId: formatTaskId({ ...key, suffix: `s${instance}` }),
    configId: '0123456789abcdef',
    spec: 1,
    state: 'PENDING',
    pool: 'default',
    service: false,
    priority: 0,
    maxTaskFailures: 1,
    resources: {
      cpuMilli: 4_000,
      ramMb: 8_192,
      diskMb: 1_024,
      gpus: 1,
      gpuMilli: 200,
      gpuModels: ['V100', 'T4'],
      ports: ['http'],
    },
    constraints: [{ kind: 'limit', attribute: 'host', limit: 20 }],
    createdAt: startedAt,
    events: [{ state: 'PENDING', at: startedAt }],
    failureCount: 0,
    flapStreak: 0,
  };
}

function next(task: Task, state: TaskState): Task {
  const at = (task.events.at(-1)?.at ?? startedAt) + 1_000;
  const { deadlineAt: _past, ...rest } = task;
  const deadline = state === 'STARTING' ? { deadlineAt: at + 300_000 } : {};
  return { ...rest, ...deadline, state, events: [...task.events, { state, at, message: 'said the agent' }] };
}
