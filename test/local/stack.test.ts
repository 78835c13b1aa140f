// The embedded stack as its users see it: the app's own templates and handlers, started, hurt, restarted, stopped.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineClient } from '../../local/engines/aws-json.ts';
import { startSqsEngine } from '../../local/engines/sqs-engine.ts';
import {
  handlerEnvironment,
  type LocalStack,
  type LocalStackOptions,
  startLocalStack,
} from '../../local/stack.ts';
import { createApiClient } from '../../shared/api/client.ts';
import { routes } from '../../shared/api/routes.ts';
import { intakeQueueName } from '../../shared/model/names.ts';
import { taskConfigSchema } from '../../shared/model/task-config.ts';

// Whole stacks on a loaded machine take their time; some tests start two.
vi.setConfig({ testTimeout: 120_000 });
const patience = { timeout: 30_000, interval: 100 };
const params = { role: 'demo', environment: 'devel', name: 'sleeper' };
const task = taskConfigSchema.parse({
  service: true,
  tier: 'preemptible',
  priority: 0,
  maxTaskFailures: 1,
  constraints: [],
  pool: 'default',
  metadata: {},
  resources: { cpuMilli: 100, ramMb: 16, diskMb: 16 },
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 10,
  processes: [{ name: 'main', cmdline: 'sleep 60' }],
  ordering: [],
});

interface Received {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

const stacks: LocalStack[] = [];
const cleanups: (() => unknown)[] = [];

async function start(options: LocalStackOptions = {}): Promise<LocalStack> {
  const stack = await startLocalStack({ port: 0, ...options });
  stacks.push(stack);
  return stack;
}

function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'borealis-stack-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function alive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

afterEach(async () => {
  await Promise.all(stacks.splice(0).map((stack) => stack.stop()));
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function submit(stack: LocalStack, name = params.name): Promise<void> {
  await createApiClient({ baseUrl: stack.apiUrl }).call('createJob', {
    params: { ...params, name },
    query: {},
    body: { ...params, name, configs: [{ instances: [[0, 2]], task }] },
  });
}

async function pendingTasks(stack: LocalStack, name = params.name): Promise<number> {
  const { counts } = await createApiClient({ baseUrl: stack.apiUrl }).call('getJob', {
    params: { ...params, name },
    query: {},
  });
  return counts.pending;
}

/** Registers an agent the way agents do: by a message to the intake queue. */
async function register(stack: LocalStack, agentId: string): Promise<void> {
  const sqs = engineClient(stack.sqsEndpoint, 'AmazonSQS');
  const offer = {
    agentId,
    host: agentId,
    pool: 'default',
    capacity: { cpuMilli: 4000, ramMb: 4096, diskMb: 4096, gpus: [], portRange: [31_000, 31_100] },
    attributes: {},
    version: '1',
  };
  const report = { v: 1, kind: 'register', agentId, sessionId: 's1', sentAt: Date.now(), offer };
  await sqs.call('SendMessage', {
    QueueUrl: `${stack.sqsEndpoint}/000000000000/${intakeQueueName(stack.cluster)}`,
    MessageBody: JSON.stringify(report),
  });
  sqs.close();
}

describe('a running stack', () => {
  it('answers the routes of the app, carries a job to the agents and leaves no process behind', async () => {
    const stack = await start();
    const pid = stack.dynamoPid();
    expect(stack.plan.routes).toHaveLength(Object.keys(routes).length + 1);
    expect(await (await fetch(`${stack.apiUrl}/health`)).json()).toEqual({ ok: true, store: 'ok' });
    await register(stack, 'a1');
    await submit(stack);
    await vi.waitFor(async () => {
      const { queues } = await stack.stats();
      expect(queues['borealis-local-agent-a1']?.visible).toBeGreaterThan(0);
    }, patience);
    const { functions, streams } = await stack.stats();
    expect(functions['borealis-local-matcher']?.errors).toBe(0);
    expect(functions['borealis-local-fanout']?.errors).toBe(0);
    expect(streams['borealis-local-state']?.records).toBeGreaterThan(3);
    await stack.stop();
    expect(await stack.ended).toBeUndefined();
    expect(alive(pid)).toBe(false);
    await expect(fetch(`${stack.apiUrl}/health`)).rejects.toThrow();
  });

  it('heals when an engine ends under it: no job is lost and new ones are taken', async () => {
    const log = vi.fn();
    const stack = await start({ log });
    await submit(stack, 'before');
    await vi.waitFor(async () => expect(await pendingTasks(stack, 'before')).toBe(3), patience);
    const pid = stack.dynamoPid();
    await Promise.all([stack.restartEngine('dynamo'), stack.restartEngine('sqs')]);
    expect(alive(pid)).toBe(false);
    expect(log).toHaveBeenCalledWith('the dynamo engine ended; it is started again');
    await vi.waitFor(async () => expect(await pendingTasks(stack, 'before')).toBe(3), patience);
    await vi.waitFor(() => submit(stack, 'after'), patience);
    await vi.waitFor(async () => expect(await pendingTasks(stack, 'after')).toBe(3), patience);
    await register(stack, 'a2');
    await vi.waitFor(async () => expect(await pendingTasks(stack, 'before')).toBe(0), patience);
  });
});

describe('a stack with a data directory', () => {
  it('goes on where it was stopped', async () => {
    const dataDir = temporaryDir();
    const first = await start({ dataDir });
    await submit(first);
    await vi.waitFor(async () => expect(await pendingTasks(first)).toBe(3), patience);
    await first.stop();
    const second = await start({ dataDir });
    expect(await pendingTasks(second)).toBe(3);
    await register(second, 'a1');
    await vi.waitFor(async () => expect(await pendingTasks(second)).toBe(0), patience);
  });

  it('loses no message when the engine of the queues is killed, not even one that somebody holds', async () => {
    const stack = await start({ dataDir: temporaryDir() });
    const sqs = engineClient(stack.sqsEndpoint, 'AmazonSQS');
    const { QueueUrl } = await sqs.call<{ QueueUrl: string }>('CreateQueue', { QueueName: 'kept' });
    for (const MessageBody of ['held', 'waiting']) await sqs.call('SendMessage', { QueueUrl, MessageBody });
    const receive = async () => {
      const { Messages = [] } = await sqs.call<{ Messages?: { Body: string }[] }>('ReceiveMessage', {
        QueueUrl,
      });
      return Messages.map(({ Body }) => Body);
    };
    expect(await receive()).toEqual(['held']);
    await stack.restartEngine('sqs');
    expect([...(await receive()), ...(await receive())].toSorted()).toEqual(['held', 'waiting']);
    sqs.close();
  });
});

describe('a message that is given back at once, where queues are kept', () => {
  it('comes again, and the group of a FIFO queue goes on', async () => {
    const engine = await startSqsEngine({ dataDir: temporaryDir() });
    cleanups.push(() => engine.stop());
    const sqs = engineClient(engine.endpoint, 'AmazonSQS');
    const Attributes = { FifoQueue: 'true' };
    const { QueueUrl } = await sqs.call<{ QueueUrl: string }>('CreateQueue', {
      QueueName: 'q.fifo',
      Attributes,
    });
    for (const MessageBody of ['first', 'second']) {
      const ids = { MessageGroupId: 'g', MessageDeduplicationId: MessageBody };
      await sqs.call('SendMessage', { QueueUrl, MessageBody, ...ids });
    }
    const receive = async () => {
      const input = { QueueUrl, MessageSystemAttributeNames: ['All'] };
      const { Messages = [] } = await sqs.call<{ Messages?: Received[] }>('ReceiveMessage', input);
      return Messages[0];
    };
    const held = await receive();
    const ReceiptHandle = held?.ReceiptHandle;
    await sqs.call('ChangeMessageVisibility', { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
    expect(await receive()).toMatchObject({ Body: 'first', Attributes: { ApproximateReceiveCount: '2' } });
    sqs.close();
  });
});

describe('a stack that cannot start', () => {
  it('names the port that is taken and leaves nothing running', async () => {
    const server = createServer() as Server;
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const dataDir = temporaryDir();
    await expect(start({ port, dataDir })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`) as unknown,
    });
    // The engines have let go of the data.
    await start({ dataDir });
  });

  it('names the context that is wrong', async () => {
    await expect(start({ cluster: 'Not A Cluster' })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('borealis:cluster is "Not A Cluster"') as unknown,
    });
  });
});

describe('the environment of the handlers', () => {
  it('leads to no real account', () => {
    const env = handlerEnvironment({
      PATH: '/bin',
      AWS_PROFILE: 'prod',
      AWS_ACCESS_KEY_ID: 'real',
      EMPTY: undefined,
    });
    expect(env).toEqual({ PATH: '/bin', POWERTOOLS_LOG_LEVEL: 'WARN', POWERTOOLS_METRICS_DISABLED: 'true' });
  });
});
