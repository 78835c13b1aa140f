// The functions of the control plane, wired by their own handler files; only what their clients reach is simulated.
import type { Context } from 'aws-lambda';
import { createHandler as createAgentEvents } from '../../../functions/agent-events/handler.ts';
import { createHandler as createApi } from '../../../functions/api/handler.ts';
import { createHandler as createFanout } from '../../../functions/fanout/handler.ts';
import { createHandler as createJobWorker } from '../../../functions/job-worker/handler.ts';
import { createHandler as createMatcher } from '../../../functions/matcher/handler.ts';
import { createHandler as createRollCall } from '../../../functions/roll-call/handler.ts';
import type { Environment } from '../../../functions/runtime.ts';
import { createHandler as createSweeper } from '../../../functions/sweeper/handler.ts';
import { createHandler as createTimers } from '../../../functions/timers/handler.ts';
import type {
  AgentEventsEnv,
  ApiEnv,
  FanoutEnv,
  JobWorkerEnv,
  MatcherEnv,
  RollCallEnv,
  StoreEnv,
  SweeperEnv,
  TimersEnv,
} from '../../../shared/api/env.ts';
import { type Host, onHost } from './hermetic.ts';
import type { Container, LambdaFunction } from './lambda.ts';

const cluster = 'sim';

export const tableNames = { stateTable: 'state', notesTable: 'notes' };
export const queueNames = {
  matcher: 'matcher.fifo',
  jobs: 'jobs.fifo',
  timers: 'timers',
  intake: 'intake',
  heartbeats: 'heartbeats',
};
const workflowArn = 'arn:aws:states:eu-central-1:123456789012:stateMachine:updates';

const base: StoreEnv = {
  BOREALIS_CLUSTER: cluster,
  STATE_TABLE: tableNames.stateTable,
  NOTES_TABLE: tableNames.notesTable,
};
/** Who reports for whom is tested elsewhere (test/functions/agent-events). */
const identity = { AGENT_IDENTITY: 'none' } as const;
const jobQueues = { JOBS_QUEUE_URL: queueNames.jobs, TIMERS_QUEUE_URL: queueNames.timers };
const queues = { ...jobQueues, MATCHER_QUEUE_URL: queueNames.matcher };
const workflow = { UPDATE_WORKFLOW_ARN: workflowArn };
/** So few that executions hand over in the runs of the simulator. */
const turns = { UPDATE_TURNS_PER_EXECUTION: '4' };

/** More than the scenarios drawn by seed ask for. */
export const backlogLimit = 200;
/** A lost agent that has nothing is forgotten after this. */
export const forgetAfterMs = 5 * 60_000;

const environments = {
  api: { ...base, ...identity, BACKLOG_LIMIT: String(backlogLimit) } satisfies ApiEnv,
  fanout: {
    ...base,
    ...identity,
    ...queues,
    ...workflow,
    INTAKE_QUEUE_URL: queueNames.intake,
    EVENT_BUS_NAME: 'bus',
  } satisfies FanoutEnv,
  matcher: { ...base, MATCHER_QUEUE_URL: queueNames.matcher } satisfies MatcherEnv,
  jobWorker: { ...base, ...jobQueues, ...workflow, ...turns } satisfies JobWorkerEnv,
  timers: { ...base, ...identity, ...jobQueues } satisfies TimersEnv,
  agentEvents: { ...base, ...identity } satisfies AgentEventsEnv,
  sweeper: { ...base, ...queues, ...workflow, SWEEPER_FUNCTION: 'sweeper' } satisfies SweeperEnv,
  rollCall: {
    ...base,
    ...identity,
    HEARTBEAT_QUEUE_URL: queueNames.heartbeats,
    // So short that machines return after it in the runs of the simulator.
    AGENT_FORGET_AFTER_SECS: forgetAfterMs / 1000,
  } satisfies RollCallEnv,
} as const;

export type FunctionName = keyof typeof environments;

type Handler = (event: never, context: Context) => Promise<unknown>;
const handlers: Readonly<Record<FunctionName, (environment: Environment) => Handler>> = {
  api: createApi,
  fanout: createFanout,
  matcher: createMatcher,
  jobWorker: createJobWorker,
  timers: createTimers,
  agentEvents: createAgentEvents,
  sweeper: createSweeper,
  rollCall: createRollCall,
};

/** Timeouts as in infra/stacks/timeouts.ts and control-plane.ts. */
const timeoutMs: Readonly<Record<FunctionName, number>> = {
  api: 29_000,
  fanout: 60_000,
  matcher: 120_000,
  jobWorker: 120_000,
  timers: 30_000,
  agentEvents: 30_000,
  sweeper: 55_000,
  rollCall: 55_000,
};

/** The functions, each of whose containers is a process of its own on `hostOf` it. `more`: settings of this run. */
export function createFunctions(
  hostOf: (container: Container) => Host,
  more: Environment,
): Readonly<Record<FunctionName, LambdaFunction>> {
  const names = Object.keys(handlers) as FunctionName[];
  const define = (name: FunctionName): LambdaFunction => ({
    name,
    timeoutMs: timeoutMs[name],
    build: (container) => {
      const host = hostOf(container);
      const handle = onHost(host, () => handlers[name]({ ...(environments[name] as Environment), ...more }));
      return (event, remainingMs) => {
        const context = { awsRequestId: 'request', getRemainingTimeInMillis: remainingMs } as Context;
        return onHost(host, () => handle(event as never, context));
      };
    },
  });
  return Object.fromEntries(names.map((name) => [name, define(name)])) as Record<
    FunctionName,
    LambdaFunction
  >;
}
