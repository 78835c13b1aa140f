// Every handler file loads, is built from its environment at the first invoke, and says what is missing.
import type { Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import {
  createHandler as agentEvents,
  handler as agentEventsHandler,
} from '../../functions/agent-events/handler.ts';
import {
  createHandler as agentLifecycle,
  handler as agentLifecycleHandler,
} from '../../functions/agent-lifecycle/handler.ts';
import { createHandler as api, handler as apiHandler } from '../../functions/api/handler.ts';
import { createHandler as commands, handler as commandsHandler } from '../../functions/commands/handler.ts';
import { createHandler as fanout, handler as fanoutHandler } from '../../functions/fanout/handler.ts';
import {
  createHandler as jobWorker,
  handler as jobWorkerHandler,
} from '../../functions/job-worker/handler.ts';
import { createHandler as matcher, handler as matcherHandler } from '../../functions/matcher/handler.ts';
import { createHandler as sweeper, handler as sweeperHandler } from '../../functions/sweeper/handler.ts';
import { createHandler as timers, handler as timersHandler } from '../../functions/timers/handler.ts';

const environment = {
  AWS_REGION: 'us-east-1',
  BOREALIS_CLUSTER: 'local',
  STATE_TABLE: 'state',
  NOTES_TABLE: 'notes',
  MATCHER_QUEUE_URL: 'http://127.0.0.1:1/q/matcher.fifo',
  JOBS_QUEUE_URL: 'http://127.0.0.1:1/q/jobs.fifo',
  LIFECYCLE_QUEUE_URL: 'http://127.0.0.1:1/q/lifecycle',
  MAX_DRAIN_SECS: '3600',
  INTAKE_QUEUE_URL: 'http://127.0.0.1:1/q/intake',
  TIMERS_QUEUE_URL: 'http://127.0.0.1:1/q/timers',
  SWEEPER_FUNCTION: 'sweeper',
  UPDATE_WORKFLOW_ARN: 'arn:aws:states:us-east-1:1:stateMachine:update',
  UPDATE_TURNS_PER_EXECUTION: '1000',
  EVENT_BUS_NAME: 'bus',
  AGENT_IDENTITY: 'bound',
  COMMAND_DEAD_LETTERS_URL: 'http://127.0.0.1:1/q/commands-dlq',
  COMMAND_TRIES: '5',
};

describe.each([
  ['api', api, apiHandler],
  ['fanout', fanout, fanoutHandler],
  ['matcher', matcher, matcherHandler],
  ['job-worker', jobWorker, jobWorkerHandler],
  ['agent-events', agentEvents, agentEventsHandler],
  ['agent-lifecycle', agentLifecycle, agentLifecycleHandler],
  ['commands', commands, commandsHandler],
  ['timers', timers, timersHandler],
  ['sweeper', sweeper, sweeperHandler],
])('functions/%s/handler.ts', (_name, create, handler) => {
  it('is built from a complete environment', () => {
    expect(typeof create(environment)).toBe('function');
  });

  it('names what is missing in its environment', () => {
    const { STATE_TABLE: _missing, ...rest } = environment;
    expect(() => create(rest)).toThrow(/STATE_TABLE/);
  });

  it('exports a handler that is built at the first invoke, not while loading', async () => {
    const invoke = handler as (event: unknown, context: Context) => Promise<unknown>;
    const before = process.env.STATE_TABLE;
    delete process.env.STATE_TABLE;
    await expect(invoke({}, {} as Context)).rejects.toThrow(/deploy the stack again/);
    if (before !== undefined) process.env.STATE_TABLE = before;
  });
});

describe('a batch of nothing', () => {
  const context = {
    awsRequestId: 'r1',
    functionName: 'f',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:1:function:f',
    memoryLimitInMB: '512',
    getRemainingTimeInMillis: () => 60_000,
  } as unknown as Context;

  it.each([
    ['fanout', fanout],
    ['matcher', matcher],
    ['job-worker', jobWorker],
    ['agent-events', agentEvents],
    ['agent-lifecycle', agentLifecycle],
    ['commands', commands],
    ['timers', timers],
  ])('goes through the chain of %s and asks nobody for anything', async (_name, create) => {
    const handler = create(environment) as unknown as (event: unknown, context: Context) => Promise<unknown>;
    expect(await handler({ Records: [] }, context)).toEqual({ batchItemFailures: [] });
  });
});
