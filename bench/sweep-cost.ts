// What a sweep reads: with nothing and with some tasks overdue among many that live. Counted from the engine's own
// answers (ReturnConsumedCapacity), so the figures don't depend on this machine.
//   node bench/sweep-cost.ts [--tasks 100000] [--overdue 1000]
import { parseArgs } from 'node:util';
import { startDynamoEngine } from '../local/engines/dynamo-engine.ts';
import { applyTransition } from '../shared/domain/task/apply.ts';
import { defaultFlapping } from '../shared/domain/task/flapping.ts';
import { createTask } from '../shared/domain/task/successor.ts';
import { defaultTimeouts, timedOut } from '../shared/domain/task/timeouts.ts';
import { randomIds } from '../shared/lib/ports.ts';
import type { Task } from '../shared/model/task.ts';
import { taskConfigSchema } from '../shared/model/task-config.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { createDynamoStore } from '../shared/store/dynamo-store.ts';
import { chunks } from '../shared/store/flow.ts';
import { dueShards } from '../shared/store/keys.ts';
import type { Store, TransitionWrite } from '../shared/store/port.ts';

const { values } = parseArgs({ options: { tasks: { type: 'string' }, overdue: { type: 'string' } } });
const total = Number(values.tasks ?? 100_000);
const overdue = Number(values.overdue ?? 1_000);
const now = Date.now();
const tables = { stateTable: 'state', notesTable: 'notes' };
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

/** The reads and writes of one sweep over all shards. */
async function sweepOnce(store: Store): Promise<number> {
  let ended = 0;
  for (let shard = 0; shard < dueShards; shard++) {
    const due = await store.listDue(shard, now, 500);
    const writes = due.flatMap((task): TransitionWrite[] => {
      const action = timedOut(task, now);
      if (!action) return [];
      const input = { now, timeouts: defaultTimeouts, flapping: defaultFlapping };
      const { next, successor } = applyTransition(task, action.to, input, sources);
      return next ? [{ task, next, ...(successor && { successor }) }] : [];
    });
    if (writes.length > 0) await store.transitionAll(writes);
    ended += writes.length;
  }
  return ended;
}

const engine = await startDynamoEngine();
const client = createClient({ endpoint: engine.endpoint });
await createTables(client, tables);
const counts = { requests: 0, reads: 0, writes: 0 };
const meter = {
  add(operation: string, _table: string, writeUnits: number, readUnits: number) {
    if (operation === 'listDue') counts.requests++;
    counts.reads += readUnits;
    counts.writes += writeUnits;
  },
};
const filling = createDynamoStore({ client, ...tables });
const store = createDynamoStore({ client, ...tables, meter });
let made = 0;
for (const part of chunks(
  Array.from({ length: total - overdue }, (_, index) => index + overdue),
  2_000,
)) {
  await filling.insertTasks(part.map(taskOf));
  made += part.length;
}
const measure = async (what: string): Promise<void> => {
  Object.assign(counts, { requests: 0, reads: 0, writes: 0 });
  const startedAt = performance.now();
  const ended = await sweepOnce(store);
  const ms = Math.round(performance.now() - startedAt);
  const { requests, reads, writes } = counts;
  process.stdout.write(
    `${what}: ${ended} ended, ${requests} read requests, ${reads} RRU, ${writes} WRU, ${ms} ms\n`,
  );
};
await measure(`0 overdue of ${made} live tasks`);
await filling.insertTasks(Array.from({ length: overdue }, (_, index) => taskOf(index)));
await measure(`${overdue} overdue of ${total} live tasks`);
client.destroy();
await engine.stop();
