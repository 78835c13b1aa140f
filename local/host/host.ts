// The host: everything of the embedded stack except the engines. Takes the plan and runs it: HTTP routes, event source
// mappings, schedules, state machines, all calling the handlers in this thread.
import { join } from 'node:path';
import { type EngineClient, engineClient } from '../engines/aws-json.ts';
import type { LocalPlan } from '../template/plan.ts';
import { type AwsServices, startAwsServices } from './aws-services.ts';
import { checkpointFile } from './checkpoint-file.ts';
import { createEventBus, type PutEvent } from './event-bus.ts';
import { type FaultCounts, type FunctionFaults, withFaults } from './faults.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';
import { type FunctionStats, type Invoker, loadInvoker, unitedEnvironment } from './invoker.ts';
import { provisionQueues, provisionTables } from './provision.ts';
import { type Poller, startQueuePoller } from './queue-poller.ts';
import { startSchedule } from './scheduler.ts';
import { loadStateMachines, type MachineStats } from './state-machines.ts';
import { type StreamPoller, startStreamPoller } from './stream-poller.ts';

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
  /** Keeps stream positions; absent = not kept. */
  readonly dataDir?: string;
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
  setFaults(faults: FunctionFaults | undefined): void;
  /** Takes nothing more, lets running invocations finish, closes everything. */
  stop(): Promise<void>;
}

const eventsKept = 500;

/** Starts the host on running engines and answers once everything is connected. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { plan, log } = options;
  const dynamo = engineClient(options.dynamoEndpoint, 'DynamoDB_20120810');
  const sqs = engineClient(options.sqsEndpoint, 'AmazonSQS');
  const streams = engineClient(options.dynamoEndpoint, 'DynamoDBStreams_20120810');
  await provision(dynamo, sqs, plan);

  const events: PutEvent[] = [];
  let eventCount = 0;
  const onEvent = (event: PutEvent): void => {
    eventCount++;
    events.push(event);
    if (events.length > eventsKept) events.shift();
  };
  Object.assign(process.env, unitedEnvironment(plan.functions));
  const called = await loadInvoker({ functions: plan.functions, root: options.root, log });
  const invoker = withFaults(called, new Set(plan.routes.map(({ functionArn }) => functionArn)));
  const machines = await loadStateMachines(plan.stateMachines, invoker);
  const { region, accountId } = options;
  const bus = createEventBus({ rules: plan.rules, invoker, machines, sqs, region, accountId, log });
  const put = (name: string, event: PutEvent): string => {
    onEvent(event);
    return bus.put(name, event);
  };
  const startFunction = functionStarter(invoker, options);
  const services = await startAwsServices({ buses: plan.buses, machines, put, startFunction });
  pointSdkAt(options, services);

  const stats = async (): Promise<HostStats> => ({
    functions: invoker.stats(),
    streams: Object.fromEntries(streamPollers.map(([table, poller]) => [table, poller.stats()])),
    sqsEndpoint: options.sqsEndpoint,
    dynamoEndpoint: options.dynamoEndpoint,
    awsEndpoint: services.endpoint,
    events: eventCount,
    queues: await queueDepths(options.sqsEndpoint),
    stateMachines: machines.stats(),
    faults: invoker.faultCounts(),
    ...options.moreStats?.(),
  });
  const http = await startHttp(options, invoker, { stats, events: () => events }).catch(
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
    recentEvents: () => events,
    async heal() {
      await provision(dynamo, sqs, plan);
      await runSchedules(plan, invoker);
    },
    setFaults: (faults) => invoker.setFaults(faults),
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
      for (const client of [dynamo, sqs, streams]) client.close();
    },
  };
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
function pointSdkAt(options: HostOptions, services: AwsServices): void {
  Object.assign(process.env, {
    AWS_REGION: options.region,
    AWS_DEFAULT_REGION: options.region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: options.dynamoEndpoint,
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
  const response = await fetch(`${sqsEndpoint}/_fauxqs/queues`);
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
