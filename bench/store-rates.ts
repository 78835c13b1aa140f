// How fast the store does what a big submission needs, on the embedded engine or on DYNAMODB_ENDPOINT.
//   node bench/store-rates.ts [tasks]

import { readFileSync } from 'node:fs';
import { startDynamoEngine } from '../local/engines/dynamo-engine.ts';
import { takeAll } from '../shared/domain/placement/ledger.ts';
import { formatTaskId } from '../shared/model/job-key.ts';
import type { Grant } from '../shared/model/resources.ts';
import type { Task } from '../shared/model/task.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { createDynamoStore } from '../shared/store/dynamo-store.ts';
import { mapLimit } from '../shared/store/flow.ts';

const count = Number(process.argv[2] ?? 8_000);
const agentCount = 1_000;
const inFlight = 4;
const now = 1_800_000_000_000;
const noGrant: Grant = { gpus: [], ports: {} };

const given = process.env.DYNAMODB_ENDPOINT;
const engine = given === undefined ? await startDynamoEngine() : undefined;
const client = createClient({ endpoint: given ?? engine?.endpoint ?? '' });
const tables = { stateTable: `bench-state-${process.pid}`, notesTable: `bench-notes-${process.pid}` };
await createTables(client, tables);
const store = createDynamoStore({ client, ...tables });

async function timed<T>(what: string, operations: number, work: () => Promise<T>): Promise<T> {
  const [start, cpu, engineCpu] = [performance.now(), process.cpuUsage(), engineCpuMs()];
  const result = await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const cells = [
    `${Math.round(ms)} ms`,
    `${Math.round((operations / ms) * 1000)} /s`,
    `${Math.round((user + system) / operations)} us`,
    `${Math.round(((engineCpuMs() - engineCpu) * 1000) / operations)} us`,
  ];
  console.log(`${what.padEnd(40)}${cells.map((cell) => cell.padStart(12)).join('')}`);
  return result;
}

/** CPU time of the engine's process so far, ms (Linux; a hundred ticks a second). */
function engineCpuMs(): number {
  if (engine?.pid === undefined) return 0;
  const fields = readFileSync(`/proc/${engine.pid}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

function makeTask(instance: number): Task {
  const key = { role: 'bench', environment: 'prod', name: 'rates', instance, generation: 1 };
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
    resources: { cpuMilli: 1000, ramMb: 1024, diskMb: 0, gpus: 0, gpuMilli: 0, gpuModels: [], ports: [] },
    constraints: [],
    createdAt: now,
    events: [{ state: 'PENDING', at: now }],
    failureCount: 0,
    flapStreak: 0,
  };
}

function next(task: Task, state: Task['state']): Task {
  const { deadlineAt: _past, ...rest } = task;
  return { ...rest, state, events: [...task.events, { state, at: now + 1_000 }] };
}

console.log(
  `${''.padEnd(40)}${['time', 'rate', 'client cpu', 'engine cpu'].map((cell) => cell.padStart(12)).join('')}`,
);
const tasks = Array.from({ length: count }, (_, instance) => makeTask(instance));
const agentIds = Array.from({ length: agentCount }, (_, index) => `agent-${index}`);
await timed(`registerAgent, ${inFlight} at once`, agentCount, () =>
  mapLimit(agentIds, inFlight, (agentId) => {
    const capacity = {
      cpuMilli: 96_000,
      ramMb: 393_216,
      diskMb: 0,
      gpus: [],
      portRange: [1, 2] as [number, number],
    };
    const offer = { agentId, host: agentId, pool: 'default', capacity, attributes: {}, version: '0' };
    return store.registerAgent(offer, 's', now);
  }),
);
await timed('insertTasks (25 a request)', count, () => store.insertTasks(tasks));
await timed('insertTasks again, all existing', count, () => store.insertTasks(tasks));
const fleet = await timed('loadPool', agentCount, () => store.loadPool('default'));
const rows = await timed('listPending', count, () => store.listPending('default', count));
const perAgent = Math.ceil(count / agentCount);
await timed(`assign, ${perAgent} tasks each, ${inFlight} at once`, count, () =>
  mapLimit(fleet, inFlight, ({ ledger }, index) => {
    const own = rows.slice(index * perAgent, (index + 1) * perAgent).map((row) => ({ row, grant: noGrant }));
    if (own.length === 0) return Promise.resolve(undefined);
    const held = own.map(({ row, grant }) => ({ taskId: row.taskId, resources: row.resources, grant }));
    return store.assign([
      {
        agentId: ledger.agentId,
        ledgerVersion: ledger.version,
        after: { ...takeAll(ledger, held), version: ledger.version + 1 },
        tasks: own,
        now,
        deadlineAt: now + 300_000,
      },
    ]);
  }),
);
const key = { role: 'bench', environment: 'prod', name: 'rates' };
const assigned = await timed('listTasks', count, () => store.listTasks(key, [0, count - 1]));
await timed('getTasks', count, () => store.getTasks(tasks.map(({ taskId }) => taskId)));
const running = assigned.map((task) => ({ task, next: next(task, 'RUNNING') }));
await timed('transitionAll', count, () => store.transitionAll(running));
const ended = running.map(({ next: task }) => ({ task, next: next(task, 'FINISHED') }));
await timed('transitionAll', count, () => store.transitionAll(ended));
await timed(`release, ${perAgent} tasks each, ${inFlight} at once`, count, () =>
  mapLimit(fleet, inFlight, ({ ledger }) => {
    const own = assigned.filter(({ agentId }) => agentId === ledger.agentId);
    return store.release(
      ledger.agentId,
      own.map(({ taskId, resources }) => ({ taskId, resources, grant: noGrant })),
    );
  }),
);
client.destroy();
await engine?.stop();
