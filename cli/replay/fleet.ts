// Simulated agents: one per trace node, over the same queues and messages as real ones, in one process and without
// running anything. They register through the intake queue, long-poll their own queue for LAUNCH and KILL, and report
// statuses; what a launched task does is decided by the replay (`onLaunch`).
import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineClient, EngineError, engineClient } from '../../local/engines/aws-json.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { agentQueueName, heartbeatQueueName, intakeQueueName } from '../../shared/model/names.ts';
import {
  type AgentCommand,
  type AgentReport,
  agentCommandSchema,
  type TaskStatus,
} from '../../shared/model/protocol.ts';
import type { TraceNode } from './trace.ts';

/** What happens in the fleet. */
interface FleetEvents {
  /** A task reached its agent for the first time. */
  onLaunch(agentId: string, taskId: string): void;
  /** An agent was told to end a task. */
  onKill(agentId: string, taskId: string): void;
}

export interface Fleet {
  /** Sends every agent's registration. */
  register(): Promise<void>;
  /** Waits until every agent's own queue exists: the control plane makes them after the registration. */
  findQueues(): Promise<void>;
  /** Agents fetch their commands from now on. */
  startPolling(): void;
  /** Resolves never; rejects when reports cannot be sent any more. */
  readonly failed: Promise<never>;
  /** Sends statuses of one agent; they leave together with those of others, soon. */
  report(agentId: string, statuses: readonly TaskStatus[]): void;
  /** Waits until every status has left. */
  flush(): Promise<void>;
  /** Ends all polls. */
  stop(): Promise<void>;
}

const sessionId = 'replay';
/** Connections per client, as engineClient has them; some are left for deletes. */
const agentsPerClient = 48;
const pollSecs = 20;
const heartbeatMs = 40_000;
const batchSize = 10;
const statusesPerReport = 100;

interface FleetOptions {
  readonly cluster: string;
  readonly sqsEndpoint: string;
  readonly nodes: readonly TraceNode[];
  readonly events: FleetEvents;
}

export function createFleet(options: FleetOptions): Fleet {
  const { cluster, sqsEndpoint, nodes, events } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const sending = engineClient(sqsEndpoint, 'AmazonSQS');
  const failure = Promise.withResolvers<never>();
  // Nobody may be waiting at the moment it happens.
  failure.promise.catch(() => undefined);
  const intake = createSender(sending, intakeQueueName(cluster), signal, failure.reject);
  const beats = createSender(sending, heartbeatQueueName(cluster), signal, failure.reject);
  const clients: EngineClient[] = [];
  const loops: Promise<void>[] = [];
  const queueUrls = new Map<string, string>();
  const envelope = (agentId: string) => ({ v: 1, agentId, sessionId, sentAt: Date.now() }) as const;
  return {
    failed: failure.promise,
    async register() {
      for (const node of nodes)
        intake.add({ ...envelope(node.name), kind: 'register', offer: offerOf(node) });
      await intake.flush();
      loops.push(
        heartbeats(nodes, (agentId) => beats.add({ ...envelope(agentId), kind: 'heartbeat' }), signal),
      );
    },
    async findQueues() {
      const waiting = nodes.map(({ name }) => name);
      const worker = async (): Promise<void> => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
          queueUrls.set(name, await waitForQueue(sending, agentQueueName(cluster, name), signal));
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
    },
    startPolling() {
      nodes.forEach(({ name }, index) => {
        if (index % agentsPerClient === 0) clients.push(engineClient(sqsEndpoint, 'AmazonSQS'));
        const client = clients.at(-1) as EngineClient;
        const queueUrl = queueUrls.get(name) as string;
        loops.push(pollLoop({ client, queueUrl, agentId: name, events, signal }));
      });
    },
    report(agentId, statuses) {
      for (let from = 0; from < statuses.length; from += statusesPerReport) {
        const part = statuses.slice(from, from + statusesPerReport);
        intake.add({ ...envelope(agentId), kind: 'status', statuses: part });
      }
    },
    flush: () => intake.flush(),
    async stop() {
      stopping.abort();
      await Promise.allSettled(loops);
      for (const client of [...clients, sending]) client.close();
    },
  };
}

function offerOf(node: TraceNode): Extract<AgentReport, { kind: 'register' }>['offer'] {
  const model = node.gpus[0];
  return {
    agentId: node.name,
    host: node.name,
    pool: 'default',
    version: 'replay',
    capacity: {
      cpuMilli: node.cpuMilli,
      ramMb: node.ramMb,
      diskMb: 1_000_000,
      gpus: [...node.gpus],
      portRange: [31_000, 32_000],
    },
    attributes: { host: [node.name], ...(model !== undefined && { 'gpu-model': [model] }) },
  };
}

interface Sender {
  add(report: AgentReport): void;
  flush(): Promise<void>;
}

/** Sends reports in the order they were added, ten a request. */
function createSender(
  client: EngineClient,
  queueName: string,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Sender {
  const waiting: AgentReport[] = [];
  let running: Promise<void> | undefined;
  let queueUrl: string | undefined;
  const drain = async (): Promise<void> => {
    queueUrl ??= await waitForQueue(client, queueName, signal);
    while (waiting.length > 0) {
      const entries = waiting.splice(0, batchSize).map((report, index) => {
        return { Id: String(index), MessageBody: JSON.stringify(report) };
      });
      const answer = await client.call<{ Failed?: { Message?: string }[] }>('SendMessageBatch', {
        QueueUrl: queueUrl,
        Entries: entries,
      });
      const failed = answer.Failed?.[0];
      if (failed) {
        throw new BorealisError(
          'UNAVAILABLE',
          `queue ${queueName} refused a report: ${failed.Message ?? 'no reason'}`,
        );
      }
    }
  };
  const flush = (): Promise<void> => {
    running ??= drain().finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    add: (report) => {
      waiting.push(report);
      // Reports of the same moment leave in one request.
      if (running === undefined) setTimeout(() => void flush().catch(onFailure), 5);
    },
    async flush() {
      while (waiting.length > 0 || running !== undefined) await flush();
    },
  };
}

/** The queue's address, once it exists. UNAVAILABLE after a minute. */
async function waitForQueue(client: EngineClient, name: string, signal: AbortSignal): Promise<string> {
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      const answer = await client.call<{ QueueUrl: string }>('GetQueueUrl', { QueueName: name }, signal);
      return answer.QueueUrl;
    } catch (error) {
      const missing = error instanceof EngineError && /NonExistentQueue|QueueDoesNotExist/.test(error.name);
      if (!missing) throw error;
      if (performance.now() > until) {
        throw new BorealisError(
          'UNAVAILABLE',
          `queue ${name} does not appear; is this API's stack running?`,
          {
            cause: error,
          },
        );
      }
      await sleep(500, undefined, { signal });
    }
  }
}

interface Received {
  readonly Messages?: readonly { readonly Body: string; readonly ReceiptHandle: string }[];
}

interface Poll {
  readonly client: EngineClient;
  readonly queueUrl: string;
  readonly agentId: string;
  readonly events: FleetEvents;
  readonly signal: AbortSignal;
}

async function pollLoop({ client, queueUrl, agentId, events, signal }: Poll): Promise<void> {
  const known = new Set<string>();
  const receive = { QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: pollSecs };
  while (!signal.aborted) {
    try {
      const { Messages: messages = [] } = await client.call<Received>('ReceiveMessage', receive, signal);
      if (messages.length === 0) continue;
      for (const { Body } of messages)
        obey(agentCommandSchema.parse(JSON.parse(Body)), agentId, known, events);
      await client.call('DeleteMessageBatch', {
        QueueUrl: queueUrl,
        Entries: messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
      });
    } catch {
      // Stopping ends the wait; anything else is tried again like a real agent does.
      if (!signal.aborted) await sleep(1000);
    }
  }
}

function obey(command: AgentCommand, agentId: string, known: Set<string>, events: FleetEvents): void {
  if (command.kind === 'kill') {
    for (const taskId of command.taskIds) events.onKill(agentId, taskId);
    return;
  }
  // These agents follow their commands only; what no message can carry does not occur in traces.
  if (command.kind === 'reconcile') return;
  for (const { taskId } of command.tasks) {
    // Commands are hints and may come twice.
    if (known.has(taskId)) continue;
    known.add(taskId);
    events.onLaunch(agentId, taskId);
  }
}

async function heartbeats(
  nodes: readonly TraceNode[],
  beat: (agentId: string) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(heartbeatMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) for (const { name } of nodes) beat(name);
  }
}
