// What a whole sweep reads and writes: with nothing and with some tasks overdue among many that live. Counted from the engine's own
// answers (ReturnConsumedCapacity), so the figures don't depend on this machine.
//   node bench/sweep-cost.ts [--tasks 100000] [--overdue 1000]
import { parseArgs } from 'node:util';
import { type SweepReport, sweep } from '../functions/sweeper/sweep.ts';
import { startDynamoEngine } from '../local/engines/dynamo-engine.ts';
import { applyTransition } from '../shared/domain/task/apply.ts';
import { defaultFlapping } from '../shared/domain/task/flapping.ts';
import { createTask } from '../shared/domain/task/successor.ts';
import { defaultTimeouts } from '../shared/domain/task/timeouts.ts';
import { randomIds } from '../shared/lib/ports.ts';
import type { Task } from '../shared/model/task.ts';
import { taskConfigSchema } from '../shared/model/task-config.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { createDynamoStore } from '../shared/store/dynamo-store.ts';
import { dueShards } from '../shared/store/keys.ts';
import type { Store } from '../shared/store/port.ts';

const { values } = parseArgs({ options: { tasks: { type: 'string' }, overdue: { type: 'string' } } });
const total = Number(values.tasks ?? 100_000);
const overdue = Number(values.overdue ?? 1_000);
const now = Date.now();
const tables = { stateTable: 'state', notesTable: 'notes' };
/** Written by one call of the store. */
const rowsAtOnce = 2_000;
const sources = { ids: randomIds, random: Math.random };
const config = taskConfigSchema.parse({
  service: true,
  tier: 'preferred',
  priority: 0,
  maxTaskFailures: 1,
  constraints: [],
  pool: 'default',
  metadata: {},
  resources: { cpuMilli: 100, ramMb: 64, diskMb: 64 },
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 30,
  processes: [{ name: 'main', cmdline: 'true' }],
  ordering: [],
});

/** A task that runs, or one that was assigned too long ago. */
function taskOf(index: number): Task {
  const instance = index % 100_000;
  const job = { role: 'bench', environment: 'prod', name: `job-${Math.floor(index / 100_000)}` };
  const made = createTask({ job, instance, generation: 1, configId: 'c', spec: 1, config, now }, sources.ids);
  const input = { now: now - 600_000, timeouts: defaultTimeouts, flapping: defaultFlapping };
  const grant = { gpus: [], ports: {} };
  const assigned = applyTransition(
    made,
    'ASSIGNED',
    { ...input, agentId: `a${index % 5_000}`, grant },
    sources,
  );
  const { next: stuck } = assigned;
  if (!stuck) throw new Error('a new task can be assigned');
  if (index < overdue) return { ...stuck, deadlineAt: now - 1 };
  const { next: running } = applyTransition(stuck, 'RUNNING', input, sources);
  if (!running) throw new Error('an assigned task can run');
  return running;
}

/** One whole sweep by the function itself; nobody hears its wake-ups. */
function sweepOnce(store: Store): Promise<SweepReport> {
  const roster = { version: 1, calledAt: now, trustedSince: 0, censusAt: 0, agents: new Map() };
  const quiet = () => undefined;
  return sweep(() => 600_000, {
    store: { ...store, getRoster: async () => roster },
    // Nobody here carries the probe of the sweep; what it costs is counted.
    pause: () => filling.notePassage({ probedAt: now }),
    shards: dueShards,
    reportsArriveMs: 0,
    messages: { send: async () => undefined },
    agents: { send: async () => 'sent' as const },
    matcherQueueUrl: '',
    jobsQueueUrl: '',
    timersQueueUrl: '',
    workflows: { isRunning: async () => true },
    timeouts: defaultTimeouts,
    flapping: defaultFlapping,
    clock: () => now,
    ...sources,
    log: { info: quiet, warn: quiet, error: quiet },
    meter: { count: quiet, millis: quiet },
  });
}

const engine = await startDynamoEngine();
const client = createClient({ endpoint: engine.endpoint });
await createTables(client, tables);
const counts = { due: 0, requests: 0, reads: 0, writes: 0 };
const meter = {
  add(operation: string, _table: string, writeUnits: number, readUnits: number) {
    if (operation === 'listDue') counts.due++;
    counts.requests++;
    counts.reads += readUnits;
    counts.writes += writeUnits;
  },
};
const filling = createDynamoStore({ client, ...tables });
const store = createDynamoStore({ client, ...tables, meter });
const filled = performance.now();
for (let first = overdue; first < total; first += rowsAtOnce) {
  const count = Math.min(rowsAtOnce, total - first);
  await filling.insertTasks(Array.from({ length: count }, (_, index) => taskOf(first + index)));
}
const made = total - overdue;
const seconds = (performance.now() - filled) / 1000;
process.stdout.write(`${made} rows written in ${seconds.toFixed(0)} s\n`);
const measure = async (what: string): Promise<void> => {
  Object.assign(counts, { due: 0, requests: 0, reads: 0, writes: 0 });
  const startedAt = performance.now();
  const { timedOut: ended } = await sweepOnce(store);
  const ms = Math.round(performance.now() - startedAt);
  const { due, requests, reads, writes } = counts;
  process.stdout.write(
    `${what}: ${ended} ended, ${due} requests for what is overdue, ${requests} in all, ${reads} RRU, ${writes} WRU, ${ms} ms\n`,
  );
};
await measure(`0 overdue of ${made} live tasks`);
await filling.insertTasks(Array.from({ length: overdue }, (_, index) => taskOf(index)));
await measure(`${overdue} overdue of ${total} live tasks`);
client.destroy();
await engine.stop();
