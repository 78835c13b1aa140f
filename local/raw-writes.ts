// How fast does the engine take the writes of a placement with nothing around them? The yardstick of the replay: the same
// rows as the store writes, created in batches of 25 and assigned in transactions of 100 items, on a fresh engine of the
// same kind with the same tables, indexes and stream. All requests are built before the clock starts.
import { BatchWriteCommand, DynamoDBDocumentClient, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { formatTaskId } from '../shared/model/job-key.ts';
import type { Resources } from '../shared/model/resources.ts';
import type { Task } from '../shared/model/task.ts';
import { ledgerAttributes } from '../shared/store/codec/agent-row.ts';
import { encodeTask } from '../shared/store/codec/task-row.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { type Condition, renderUpdate } from '../shared/store/expression.ts';
import { ledgerKeyOf, taskKeyOf } from '../shared/store/keys.ts';
import { stillInState, updateOf } from '../shared/store/task-update.ts';
import { startDynamoEngine } from './engines/dynamo-engine.ts';

export interface RawWrites {
  /** Tasks created and assigned per second of both together. */
  readonly tasksPerSecond: number;
  readonly createMs: number;
  readonly assignMs: number;
}

const tables = { stateTable: 'raw-state', notesTable: 'raw-notes' };
const batchSize = 25;
/** With the agent's ledger the 100 items of a transaction. */
const tasksPerTransaction = 99;
const requestsInFlight = 4;
const historyMs = 24 * 3600 * 1000;

/** Creates and assigns one task per element on an engine of its own, which is gone afterwards. */
export async function measureRawWrites(resources: readonly Resources[]): Promise<RawWrites> {
  const engine = await startDynamoEngine();
  const client = createClient({ endpoint: engine.endpoint });
  try {
    await createTables(client, tables);
    const doc = DynamoDBDocumentClient.from(client);
    const tasks = resources.map(pendingTask);
    const creates = chunks(tasks, batchSize).map(createBatch);
    const assigns = chunks(tasks, tasksPerTransaction).map(assignTransaction);
    await Promise.all(assigns.map((_, index) => doc.send(putLedger(index))));
    const createMs = await timed(creates, async (command) => {
      const { UnprocessedItems = {} } = await doc.send(command);
      if (Object.keys(UnprocessedItems).length > 0)
        throw new Error('the engine left items of a batch unwritten');
    });
    const assignMs = await timed(assigns, (command) => doc.send(command));
    return { tasksPerSecond: (tasks.length / (createMs + assignMs)) * 1000, createMs, assignMs };
  } finally {
    client.destroy();
    await engine.stop();
  }
}

async function timed<T>(commands: readonly T[], send: (command: T) => Promise<unknown>): Promise<number> {
  const waiting = [...commands];
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    for (let command = waiting.shift(); command !== undefined; command = waiting.shift()) await send(command);
  };
  await Promise.all(Array.from({ length: requestsInFlight }, worker));
  return performance.now() - startedAt;
}

function pendingTask(resources: Resources, index: number): Task {
  const createdAt = Date.now();
  const instance = index % 1000;
  const key = {
    role: 'openb',
    environment: 'test',
    name: `trace-${String(Math.floor(index / 1000)).padStart(5, '0')}`,
  };
  return {
    ...key,
    taskId: formatTaskId({ ...key, instance, generation: 1, suffix: suffixOf(index) }),
    instance,
    generation: 1,
    configId: '0123456789abcdef',
    spec: 1,
    state: 'PENDING',
    pool: 'default',
    service: false,
    priority: 0,
    maxTaskFailures: 1,
    resources,
    constraints: [],
    createdAt,
    events: [{ state: 'PENDING', at: createdAt }],
    failureCount: 0,
    flapStreak: 0,
  };
}

function suffixOf(index: number): string {
  return index.toString(36).padStart(8, '0');
}

function assignedTask(task: Task, agentId: string): Task {
  const { gpus, gpuMilli } = task.resources;
  const at = task.createdAt + 1000;
  return {
    ...task,
    state: 'ASSIGNED',
    agentId,
    grant: {
      gpus: Array.from({ length: gpus }, (_, device) => [device, gpuMilli || 1000] as [number, number]),
      ports: {},
    },
    deadlineAt: at + 300_000,
    events: [...task.events, { state: 'ASSIGNED', at }],
  };
}

function createBatch(tasks: readonly Task[]): BatchWriteCommand {
  const puts = tasks.map((task) => ({ PutRequest: { Item: encodeTask(task, historyMs) } }));
  return new BatchWriteCommand({ RequestItems: { [tables.stateTable]: puts } });
}

function agentIdOf(index: number): string {
  return `openb-node-${String(index).padStart(4, '0')}`;
}

function ledgerOf(index: number, version: number, live: readonly string[]) {
  return {
    agentId: agentIdOf(index),
    version,
    freeCpuMilli: 64_000,
    freeRamMb: 262_144,
    freeDiskMb: 1_000_000,
    gpus: [],
    usedPorts: [],
    live: [...live],
  };
}

function putLedger(index: number): BatchWriteCommand {
  const Item = { ...ledgerKeyOf(agentIdOf(index)), ...ledgerAttributes(ledgerOf(index, 1, [])) };
  return new BatchWriteCommand({ RequestItems: { [tables.stateTable]: [{ PutRequest: { Item } }] } });
}

const ledgerAtFirst: Condition = { text: '#v = :version', names: { '#v': 'v' }, values: { ':version': 1 } };

function assignTransaction(tasks: readonly Task[], index: number): TransactWriteCommand {
  const agentId = agentIdOf(index);
  const live = tasks.map(({ taskId }) => taskId);
  const ledger = {
    Update: {
      TableName: tables.stateTable,
      Key: ledgerKeyOf(agentId),
      ...renderUpdate({ set: ledgerAttributes(ledgerOf(index, 2, live)), remove: [] }, [ledgerAtFirst]),
    },
  };
  const updates = tasks.map((task) => ({
    Update: {
      TableName: tables.stateTable,
      Key: taskKeyOf(task),
      ...renderUpdate(updateOf(task, assignedTask(task, agentId), historyMs), [
        stillInState(task.taskId, 'PENDING'),
      ]),
    },
  }));
  return new TransactWriteCommand({ TransactItems: [ledger, ...updates] });
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
