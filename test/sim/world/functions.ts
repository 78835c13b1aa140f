// The functions of the control plane as their handler files wire them, with the simulated platform in place of AWS.

import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Context, DynamoDBStreamEvent, SQSEvent } from 'aws-lambda';
import { processReports } from '../../../functions/agent-events/process-reports.ts';
import { createApi } from '../../../functions/api/app.ts';
import { createAgentCommandPort } from '../../../functions/clients/agent-commands.ts';
import { createEventPort } from '../../../functions/clients/event-port.ts';
import { createHeartbeatQueue } from '../../../functions/clients/heartbeat-queue.ts';
import { createMessagePort } from '../../../functions/clients/message-port.ts';
import { drainPass } from '../../../functions/drainer/drain-pass.ts';
import { createJobEnds } from '../../../functions/fanout/job-ends.ts';
import { processBatch } from '../../../functions/fanout/process-batch.ts';
import { createConfigCache } from '../../../functions/launch.ts';
import { matchPool } from '../../../functions/matcher/match-pool.ts';
import { createReasonWriter } from '../../../functions/matcher/reason-writer.ts';
import { createWakeFilter } from '../../../functions/matcher/wake-filter.ts';
import { drainWake, matcherWake, reconcileWake } from '../../../functions/messages.ts';
import type { HttpEvent, HttpResult } from '../../../functions/middleware/http.ts';
import type { Log, MetricPort, WorkflowPort } from '../../../functions/ports.ts';
import { processGroups } from '../../../functions/queue-batch.ts';
import { reconcileJob } from '../../../functions/reconciler/reconcile-job.ts';
import { rollCall } from '../../../functions/roll-call/roll-call.ts';
import { sweep } from '../../../functions/sweeper/sweep.ts';
import { fireTimer } from '../../../functions/timers/fire-timer.ts';
import { defaultRollCall } from '../../../shared/domain/agent/roll-call.ts';
import { defaultFlapping } from '../../../shared/domain/task/flapping.ts';
import { defaultTimeouts } from '../../../shared/domain/task/timeouts.ts';
import type { IdSource, RandomSource } from '../../../shared/lib/ports.ts';
import { jobPath } from '../../../shared/model/job-key.ts';
import {
  drainWakeSchema,
  matcherWakeSchema,
  reconcileWakeSchema,
  timerSchema,
} from '../../../shared/model/wake.ts';
import type { DocumentSender } from '../../../shared/store/connection.ts';
import { createDynamoStore } from '../../../shared/store/dynamo-store.ts';
import { dueShards } from '../../../shared/store/keys.ts';
import { decodeStreamRecord } from '../../../shared/store/stream.ts';
import type { Container, LambdaFunction } from './lambda.ts';

const cluster = 'sim';
/** No scenario updates a job yet. */
const noWorkflows: WorkflowPort = {
  start: () => Promise.reject(new Error('updates are not simulated')),
  isRunning: () => Promise.reject(new Error('updates are not simulated')),
  answer: () => Promise.reject(new Error('updates are not simulated')),
};

/** Who reports for whom is tested elsewhere (test/functions/agent-events). */
const identity = 'none' as const;
export const tableNames = { stateTable: 'state', notesTable: 'notes' };
export const queueNames = {
  matcher: 'matcher.fifo',
  reconciler: 'reconciler.fifo',
  timers: 'timers',
  drainer: 'drainer.fifo',
  updater: 'updater.fifo',
  intake: 'intake',
  heartbeats: 'heartbeats',
};

/** What one container gets from the simulated platform. */
export interface Platform {
  readonly documents: (container: Container) => DocumentSender;
  readonly sqs: (container: Container) => SQSClient;
  readonly events: (container: Container) => EventBridgeClient;
  readonly clock: (container: Container) => () => number;
  readonly ids: IdSource;
  readonly random: RandomSource;
  readonly log: Log;
  readonly meter: MetricPort;
}

/** Timeouts as in infra/stacks/timeouts.ts and control-plane.ts. */
const timeoutMs = {
  api: 29_000,
  fanout: 60_000,
  matcher: 120_000,
  reconciler: 120_000,
  timers: 30_000,
  agentEvents: 30_000,
  sweeper: 55_000,
  rollCall: 55_000,
  drainer: 120_000,
};

export type FunctionName = keyof typeof timeoutMs;

export function createFunctions(platform: Platform): Readonly<Record<FunctionName, LambdaFunction>> {
  const partsOf = (container: Container) => {
    const clock = platform.clock(container);
    const store = createDynamoStore({ client: platform.documents(container), clock, ...tableNames });
    const messages = createMessagePort(platform.sqs(container));
    const { ids, random, log, meter } = platform;
    const common = {
      timeouts: defaultTimeouts,
      flapping: defaultFlapping,
      log,
      meter,
      ids,
      random,
      clock,
      store,
    };
    const agents = createAgentCommandPort(platform.sqs(container), messages, cluster);
    return { ...common, messages, agents, common };
  };
  const define = (name: FunctionName, build: LambdaFunction['build']): LambdaFunction => {
    return { name, timeoutMs: timeoutMs[name], build };
  };
  return {
    api: define('api', (container) => {
      const { store, common } = partsOf(container);
      const configs = createConfigCache(store);
      const api = createApi({ ...common, configs, cluster, identity, version: '0.0.0' });
      // Without a remaining time the chain starts no timer of its own; Lambda's limit holds all the same.
      return (event) => (api as unknown as Api)(event as HttpEvent, { awsRequestId: 'request' } as Context);
    }),
    fanout: define('fanout', (container) => {
      const { store, messages, agents, common } = partsOf(container);
      const events = createEventPort(platform.events(container), 'bus');
      const configs = createConfigCache(store);
      const deps = {
        ...common,
        configs,
        jobEnds: createJobEnds(store),
        messages,
        agents,
        events,
        cluster,
        queues: queueNames,
        workflows: noWorkflows,
      };
      return (event) => processBatch(event as DynamoDBStreamEvent, { ...deps, decode: decodeStreamRecord });
    }),
    matcher: define('matcher', (container) => {
      const { store, messages, clock, log, common } = partsOf(container);
      const deps = { ...common, reasons: createReasonWriter(store, clock) };
      const wakes = createWakeFilter();
      return (event, remainingMs) =>
        processGroups(event as SQSEvent, {
          schema: matcherWakeSchema,
          groupOf: ({ pool }) => pool,
          log,
          work: async ({ pool }, sentAt) => {
            if (wakes.isAnswered(pool, sentAt)) return;
            const report = await matchPool(pool, remainingMs, deps);
            if (report.complete) wakes.drained(pool, report.readAt);
            else await messages.send(queueNames.matcher, [matcherWake(pool)]);
          },
        });
    }),
    reconciler: define('reconciler', (container) => {
      const { messages, log, common } = partsOf(container);
      return (event, remainingMs) =>
        processGroups(event as SQSEvent, {
          schema: reconcileWakeSchema,
          groupOf: ({ key }) => jobPath(key),
          log,
          work: async ({ key }) => {
            const outcome = await reconcileJob(key, remainingMs, common);
            if (outcome === 'outOfTime') await messages.send(queueNames.reconciler, [reconcileWake(key)]);
          },
        });
    }),
    timers: define('timers', (container) => {
      const { messages, agents, log, common } = partsOf(container);
      return (event) =>
        processGroups(event as SQSEvent, {
          schema: timerSchema,
          groupOf: ({ kind, taskId }) => `${kind} ${taskId}`,
          log,
          work: (timer) =>
            fireTimer(timer, { ...common, messages, agents, timersQueueUrl: queueNames.timers }),
        });
    }),
    agentEvents: define('agentEvents', (container) => {
      const { agents, common } = partsOf(container);
      const deps = { ...common, agents, identity, owners: new Map() };
      return (event) => processReports(event as SQSEvent, deps);
    }),
    sweeper: define('sweeper', (container) => {
      const { messages, common } = partsOf(container);
      const queues = {
        matcherQueueUrl: queueNames.matcher,
        reconcilerQueueUrl: queueNames.reconciler,
        drainerQueueUrl: queueNames.drainer,
        updaterQueueUrl: queueNames.updater,
        workflows: noWorkflows,
      };
      return (_event, remainingMs) =>
        sweep(remainingMs, { ...common, messages, shards: dueShards, ...queues });
    }),
    rollCall: define('rollCall', (container) => {
      const { store, messages, common } = partsOf(container);
      const deps = {
        ...common,
        configs: createConfigCache(store),
        queue: createHeartbeatQueue(platform.sqs(container), queueNames.heartbeats),
        queueUrl: queueNames.heartbeats,
        messages,
        settings: defaultRollCall,
        identity,
        owners: new Map(),
      };
      return (_event, remainingMs) => rollCall(remainingMs, deps);
    }),
    drainer: define('drainer', (container) => {
      const { messages, clock, log, common } = partsOf(container);
      return (event) =>
        processGroups(event as SQSEvent, {
          schema: drainWakeSchema,
          groupOf: ({ drain }) => drain,
          log,
          work: async () => {
            const { draining, drained } = await drainPass(common);
            if (draining > drained) await messages.send(queueNames.drainer, [drainWake(clock())]);
          },
        });
    }),
  };
}

type Api = (event: HttpEvent, context: Context) => Promise<HttpResult>;
