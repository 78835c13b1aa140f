// The host: everything of the embedded stack except the engines. Takes the plan and runs it: HTTP routes, event source
// mappings, schedules, state machines, all calling the handlers in this thread.
import { join } from 'node:path';
import { BorealisError } from '../../shared/lib/errors.ts';
import { type EngineClient, engineClient } from '../engines/aws-json.ts';
import type { LocalPlan } from '../template/plan.ts';
import { type AwsServices, startAwsServices } from './aws-services.ts';
import { checkpointFile } from './checkpoint-file.ts';
import { deliveryJournal } from './delivery-journal.ts';
import { createEventBus, type PutEvent } from './event-bus.ts';
import { type FaultCounts, withFaults } from './faults.ts';
import { type FaultyStore, type StoreFaultCounts, startFaultyStore } from './faulty-store.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';
import { type FunctionStats, type Invoker, loadInvoker, unitedEnvironment } from './invoker.ts';
import { provisionQueues, provisionTables } from './provision.ts';
import { type Poller, startQueuePoller } from './queue-poller.ts';
import { startSchedule } from './scheduler.ts';
import { loadStateMachines, type MachineStats } from './state-machines.ts';
import { type StreamPoller, startStreamPoller } from './stream-poller.ts';
import type { Odds } from './striker.ts';

export interface HostOptions {
  readonly plan: LocalPlan;
  /** Top of the repository: handler entries are relative to it. */
  readonly root: string;
  readonly dynamoEndpoint: string;
  readonly sqsEndpoint: string;
  /** Of the HTTP API; 0 = any free one. */
  readonly port: number;
  readonly region: string;
  readonly accountId: string;
  /** Keeps stream positions and events that have not arrived; absent = not kept. */
  readonly dataDir?: string;
  /** Lets the store fail on request; it costs every request of a function a way through a proxy. @default false */
  readonly faultyStore?: boolean;
  readonly log: (line: string) => void;
  /** More to report on /_local/stats, such as what the handlers count. */
  readonly moreStats?: () => Readonly<Record<string, unknown>>;
}

/** What the embedded stack has done so far. */
export interface HostStats {
  readonly functions: Readonly<Record<string, FunctionStats>>;
  readonly streams: Readonly<Record<string, { readonly records: number; readonly outstanding: number }>>;
  /** Where agents on this machine find their queues. */
  readonly sqsEndpoint: string;
  readonly dynamoEndpoint: string;
  /** EventBridge, Step Functions and Lambda. */
  readonly awsEndpoint: string;
  /** Events put on a bus. */
  readonly events: number;
  readonly queues: Readonly<Record<string, QueueDepth>>;
  readonly stateMachines: Readonly<Record<string, MachineStats>>;
  /** Invocations that were made to fail, or to come twice. */
  readonly faults: FaultCounts;
  /** Requests to the store that were; absent where it cannot be made to fail. */
  readonly storeFaults?: StoreFaultCounts;
  readonly [more: string]: unknown;
}

interface QueueDepth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

export interface Host {
  readonly port: number;
  stats(): Promise<HostStats>;
  /** The last events put on a bus, oldest first. */
  recentEvents(): readonly PutEvent[];
  /** Makes tables and queues again where an engine lost them, and runs every schedule once (the safety net). */
  heal(): Promise<void>;
  /** Makes functions fail from now on, or no longer. */
  setFaults(odds: Odds | undefined): void;
  /** The same for requests to the store. INVALID_REQUEST without the option `faultyStore`. */
  setStoreFaults(odds: Odds | undefined): void;
  /** Takes nothing more, lets running invocations finish, closes everything. */
  stop(): Promise<void>;
}

const eventsKept = 500;

/** Starts the host on running engines and answers once everything is connected. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { plan, log } = options;
  const { dynamo, sqs, streams } = clientsOf(options);
  await provision(dynamo, sqs, plan);
  const faultyStore = options.faultyStore ? await startFaultyStore(options.dynamoEndpoint) : undefined;
  const events = eventLog();
  Object.assign(process.env, unitedEnvironment(plan.functions));
  const called = await loadInvoker({ functions: plan.functions, root: options.root, log });
  const invoker = withFaults(called, new Set(plan.routes.map(({ functionArn }) => functionArn)));
  const machines = await loadStateMachines(plan.stateMachines, invoker);
  const { region, accountId } = options;
  const journal = deliveryJournal(options.dataDir && join(options.dataDir, 'events.db'));
  const bus = createEventBus({ rules: plan.rules, invoker, machines, sqs, region, accountId, journal, log });
  const put = (name: string, event: PutEvent): string => {
    events.add(event);
    return bus.put(name, event);
  };
  const startFunction = functionStarter(invoker, options);
  const services = await startAwsServices({ buses: plan.buses, machines, put, startFunction });
  pointSdkAt(options, faultyStore?.endpoint ?? options.dynamoEndpoint, services);
  bus.resume();

  const stats = async (): Promise<HostStats> => ({
    functions: invoker.stats(),
    streams: Object.fromEntries(streamPollers.map(([table, poller]) => [table, poller.stats()])),
    sqsEndpoint: options.sqsEndpoint,
    dynamoEndpoint: options.dynamoEndpoint,
    awsEndpoint: services.endpoint,
    events: events.count(),
    queues: await queueDepths(options.sqsEndpoint),
    stateMachines: machines.stats(),
    faults: invoker.faultCounts(),
    ...(faultyStore && { storeFaults: faultyStore.counts() }),
    ...options.moreStats?.(),
  });
  const http = await startHttp(options, invoker, { stats, events: events.kept }).catch(
    async (error: unknown) => {
      await services.stop();
      throw error;
    },
  );
  const common = { sqs, invoker, region: options.region, log };
  const queuePollers = plan.queueMappings.map((mapping) => startQueuePoller({ ...common, mapping }));
  const streamPollers = plan.streamMappings.map((mapping): [string, StreamPoller] => {
    const file = options.dataDir && join(options.dataDir, `stream-${mapping.tableName}.json`);
    return [
      mapping.tableName,
      startStreamPoller({ ...common, mapping, streams, checkpoint: checkpointFile(file || undefined) }),
    ];
  });
  const schedules = plan.schedules.map((schedule) => startSchedule(schedule, invoker));
  return {
    port: http.port,
    stats,
    recentEvents: events.kept,
    async heal() {
      await provision(dynamo, sqs, plan);
      await runSchedules(plan, invoker);
    },
    setFaults: (odds) => invoker.setFaults(odds),
    setStoreFaults: (odds) => struck(faultyStore).setFaults(odds),
    async stop() {
      const pollers: readonly Poller[] = [
        ...queuePollers,
        ...schedules,
        ...streamPollers.map(([, poller]) => poller),
      ];
      await Promise.all([http.stop(), ...pollers.map((poller) => poller.stop())]);
      bus.stop();
      await machines.close();
      await bus.idle();
      await invoker.idle();
      await services.stop();
      await faultyStore?.stop();
      journal.close();
      for (const client of [dynamo, sqs, streams]) client.close();
    },
  };
}

function clientsOf({ dynamoEndpoint, sqsEndpoint }: HostOptions) {
  return {
    dynamo: engineClient(dynamoEndpoint, 'DynamoDB_20120810'),
    sqs: engineClient(sqsEndpoint, 'AmazonSQS'),
    streams: engineClient(dynamoEndpoint, 'DynamoDBStreams_20120810'),
  };
}

/** The last events, and how many there were. */
function eventLog() {
  const kept: PutEvent[] = [];
  let count = 0;
  return {
    add(event: PutEvent): void {
      count++;
      kept.push(event);
      if (kept.length > eventsKept) kept.shift();
    },
    kept: (): readonly PutEvent[] => kept,
    count: () => count,
  };
}

function struck(store: FaultyStore | undefined): FaultyStore {
  if (store) return store;
  throw new BorealisError(
    'INVALID_REQUEST',
    'this stack was started without faultyStore, so its store cannot be made to fail; nothing was changed',
  );
}

function provision(dynamo: EngineClient, sqs: EngineClient, plan: LocalPlan): Promise<unknown> {
  return Promise.all([provisionTables(dynamo, plan.tables), provisionQueues(sqs, plan.queues)]);
}

function runSchedules({ schedules }: LocalPlan, invoker: Invoker): Promise<unknown> {
  const once = { source: 'local.start' };
  return Promise.allSettled(schedules.map(({ functionArn }) => invoker.invoke(functionArn, once)));
}

/** Calls a function that nobody waits for; false if there is none of this name. */
function functionStarter(
  invoker: Invoker,
  { plan, log }: HostOptions,
): (name: string, event: unknown) => boolean {
  return (name, event) => {
    const found = plan.functions.find((one) => one.name === name);
    if (!found) return false;
    invoker
      .invoke(found.arn, event)
      .catch((error: unknown) => log(`function ${name}, which nobody waits for, failed: ${String(error)}`));
    return true;
  };
}

/** The SDK clients of the handlers read these when they are made, at the first invocation. */
function pointSdkAt(options: HostOptions, store: string, services: AwsServices): void {
  Object.assign(process.env, {
    AWS_REGION: options.region,
    AWS_DEFAULT_REGION: options.region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: store,
    AWS_ENDPOINT_URL_SQS: options.sqsEndpoint,
    AWS_ENDPOINT_URL_EVENTBRIDGE: services.endpoint,
    AWS_ENDPOINT_URL_SFN: services.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: services.endpoint,
  });
}

function startHttp(
  options: HostOptions,
  invoker: Invoker,
  pages: { stats: () => Promise<HostStats>; events: () => readonly PutEvent[] },
): Promise<HttpServer> {
  const { plan, port, accountId } = options;
  return startHttpServer({
    port,
    routes: plan.routes,
    invoker,
    accountId,
    pages: { ...pages, health: () => ({ ok: true, inFlight: invoker.inFlight() }) },
  });
}

interface EngineQueue {
  readonly name: string;
  readonly approximateMessageCount: number;
  readonly approximateInflightCount: number;
  readonly approximateDelayedCount: number;
}

/** Straight from the engine: one request for all queues. */
async function queueDepths(sqsEndpoint: string): Promise<Readonly<Record<string, QueueDepth>>> {
  const response = await fetch(`${sqsEndpoint}/_fauxqs/queues`, { signal: AbortSignal.timeout(10_000) });
  const queues = (await response.json()) as readonly EngineQueue[];
  return Object.fromEntries(
    queues.map((queue) => [
      queue.name,
      {
        visible: queue.approximateMessageCount,
        inFlight: queue.approximateInflightCount,
        delayed: queue.approximateDelayedCount,
      },
    ]),
  );
}
