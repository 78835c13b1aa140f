// What a roll call costs in processor time, by the size of the fleet: the function's own code with its real clients, the
// embedded engine and a stand-in for SQS, both in other processes, so that only the function's time is counted. Says how
// much memory the function needs for it, for on Lambda a share of a processor comes with memory.
//   node bench/roll-call.ts [--agents 1000,5000,10000]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { SQSClient } from '@aws-sdk/client-sqs';
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { createHeartbeatQueue } from '../functions/clients/heartbeat-queue.ts';
import { createMessagePort } from '../functions/clients/message-port.ts';
import { createConfigCache } from '../functions/launch.ts';
import { type RollCallDeps, rollCall } from '../functions/roll-call/roll-call.ts';
import { rollCallMemoryMb } from '../infra/stacks/roll-call-memory.ts';
import { startDynamoEngine } from '../local/engines/dynamo-engine.ts';
import { defaultMostLost } from '../shared/domain/agent/forget.ts';
import { defaultRollCall } from '../shared/domain/agent/roll-call.ts';
import { ledgerFromCapacity } from '../shared/domain/placement/ledger.ts';
import { defaultFlapping } from '../shared/domain/task/flapping.ts';
import { defaultTimeouts } from '../shared/domain/task/timeouts.ts';
import { randomIds } from '../shared/lib/ports.ts';
import type { Agent } from '../shared/model/agent.ts';
import { encodeAgent, encodeLedger } from '../shared/store/codec/agent-row.ts';
import { createClient } from '../shared/store/connection.ts';
import { createTables } from '../shared/store/create-tables.ts';
import { createDynamoStore } from '../shared/store/dynamo-store.ts';
import { chunks, mapLimit } from '../shared/store/flow.ts';

const { values } = parseArgs({ options: { agents: { type: 'string', default: '1000,5000,10000' } } });
const sizes = values.agents.split(',').map(Number);
const tables = { stateTable: 'state', notesTable: 'notes' };
const minuteMs = 60_000;
const heartbeatMs = 40_000;
const calls = 6;
/** Lambda gives a whole processor at so much memory, MB. */
const mbPerProcessor = 1_769;

const agentOf = (index: number, now: number): Agent => ({
  agentId: `i-${index.toString(16).padStart(17, '0')}`,
  host: `ip-10-0-${index % 256}-${index >> 8}.eu-central-1.compute.internal`,
  pool: 'default',
  mode: 'NONE',
  capacity: { cpuMilli: 64_000, ramMb: 262_144, diskMb: 500_000, gpus: [], portRange: [31_000, 32_000] },
  attributes: { host: [`h${index}`], rack: [`r${index % 40}`], zone: [`z${index % 3}`] },
  version: '0.1.0',
  sessionId: `session-${index}`,
  registeredAt: now,
  sessionAt: now,
  principal: `AROAEXAMPLEEXAMPLE${index % 10}:i-${index.toString(16).padStart(17, '0')}`,
});

interface Fleet {
  readonly deps: RollCallDeps;
  /** One more minute of heartbeats, then the roll call. */
  minute(): Promise<{ readonly processorMs: number; readonly wallMs: number; readonly heapMb: number }>;
  stop(): Promise<void>;
}

async function startFleet(count: number): Promise<Fleet> {
  const engine = await startDynamoEngine();
  const client = createClient({ endpoint: engine.endpoint });
  await createTables(client, tables);
  let now = Date.now();
  const agents = Array.from({ length: count }, (_, index) => agentOf(index, now));
  const doc = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const rows = agents.flatMap((agent) => [
    encodeAgent(agent),
    encodeLedger(ledgerFromCapacity(agent.agentId, agent.capacity)),
  ]);
  await mapLimit(chunks(rows, 25), 8, (part) =>
    doc.send(
      new BatchWriteCommand({
        RequestItems: { [tables.stateTable]: part.map((Item) => ({ PutRequest: { Item } })) },
      }),
    ),
  );
  const queue = fork(new URL('sqs-stand-in.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [port] = (await once(queue, 'message')) as [number];
  const endpoint = `http://127.0.0.1:${port}`;
  const queueUrl = `${endpoint}/000000000000/heartbeats`;
  const sqs = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 128 } },
  });
  const store = createDynamoStore({ client, ...tables });
  const quiet = () => undefined;
  const deps: RollCallDeps = {
    store,
    configs: createConfigCache(store),
    queue: createHeartbeatQueue(sqs, queueUrl),
    queueUrl,
    messages: createMessagePort(sqs),
    settings: defaultRollCall,
    forget: {
      forgetAfterMs: 86_400_000,
      lostAfterMs: defaultRollCall.lostAfterMs,
      mostLost: defaultMostLost,
    },
    agentQueues: { list: async () => [], drop: async () => undefined },
    identity: 'bound',
    owners: new Map(),
    timeouts: defaultTimeouts,
    flapping: defaultFlapping,
    clock: () => now,
    ids: randomIds,
    random: Math.random,
    log: { info: quiet, warn: quiet, error: quiet },
    meter: { count: quiet, millis: quiet },
  };
  return {
    deps,
    async minute() {
      now += minuteMs;
      const messages = agents.flatMap(({ agentId, principal }, index) => {
        const body = {
          v: 1,
          kind: 'heartbeat',
          agentId,
          sessionId: `session-${index}`,
          sentAt: now,
          tasks: 20,
        };
        const first = (index * 7919) % heartbeatMs;
        const times = [first, first + heartbeatMs].filter((age) => age < minuteMs);
        return times.map((age) => ({ body: JSON.stringify(body), sender: principal, sentAt: now - age - 1 }));
      });
      queue.send(messages);
      await once(queue, 'message');
      let heap = 0;
      const sample = setInterval(() => {
        heap = Math.max(heap, process.memoryUsage().heapUsed);
      }, 20);
      const before = process.cpuUsage();
      const startedAt = performance.now();
      const { heard } = await rollCall(() => 55_000, deps);
      const { user, system } = process.cpuUsage(before);
      clearInterval(sample);
      if (heard < count) throw new Error(`${heard} of ${count} agents were heard`);
      return {
        processorMs: (user + system) / 1000,
        wallMs: performance.now() - startedAt,
        heapMb: heap / 1024 ** 2,
      };
    },
    async stop() {
      queue.kill();
      sqs.destroy();
      client.destroy();
      await engine.stop();
    },
  };
}

const print = (line: string) => void process.stdout.write(`${line}\n`);
for (const size of sizes) {
  const fleet = await startFleet(size);
  const runs = [];
  // The first also compiles the code, as the first in a new process of the function does.
  for (let call = 0; call < calls; call++) runs.push(await fleet.minute());
  await fleet.stop();
  const worst = Math.max(...runs.slice(1).map(({ processorMs }) => processorMs));
  const list = runs.map(({ processorMs }) => Math.round(processorMs)).join(', ');
  const heap = Math.max(...runs.map(({ heapMb }) => heapMb));
  print(`${size} agents: processor ms ${list} (every fourth with a census); heap ${heap.toFixed(0)} MB`);
  for (const memoryMb of new Set([192, rollCallMemoryMb(size), 1_769])) {
    const seconds = (worst / 1000) * (mbPerProcessor / memoryMb);
    print(
      `  at ${memoryMb} MB, ${((100 * memoryMb) / mbPerProcessor).toFixed(0)}% of a processor: ${seconds.toFixed(1)} s`,
    );
  }
}
