// Every request of every process ends: each factory of a client against a server that never answers, and against one
// that stops in the middle of its answer. A client made anywhere else fails the last test.
import { readdirSync, readFileSync } from 'node:fs';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { ListQueuesCommand } from '@aws-sdk/client-sqs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSqsTransport } from '../agent/sqs-transport.ts';
import { readLogPiece } from '../cli/client/observer.ts';
import { gatherDeployed } from '../cli/doctor/gather-deployed.ts';
import { findQueueUrl } from '../cli/local/queues.ts';
import type { Session } from '../cli/session.ts';
import { createAutoScalingClient, createTerminationPort } from '../functions/agent-lifecycle/auto-scaling.ts';
import { createEventBridgeClient, createEventPort } from '../functions/clients/event-port.ts';
import { createLambdaClient, createStartFunction } from '../functions/clients/invocation-port.ts';
import { createSqsClient } from '../functions/clients/sqs.ts';
import { createSfnClient, createWorkflowPort } from '../functions/clients/workflow-port.ts';
import { createApiClient } from '../shared/api/client.ts';
import { createSignedFetch } from '../shared/api/signed-fetch.ts';
import { createClient } from '../shared/store/connection.ts';
import { startMuteServer } from './support/mute-server.ts';

/** Short, since what is tested is that there is an end, not how soon. */
const limits = { connectMs: 500, answerMs: 100 };
/** The last resort is far away, so that it is not what ends a request here. */
const transportLimits = { request: limits, poll: limits, callMs: 60_000, pageMs: 500 };
const key = { accessKeyId: 'local', secretAccessKey: 'local' };
const envelope = { v: 1, agentId: 'a-1', sessionId: 's', sentAt: 1 } as const;
const termination = { group: 'g', hook: 'h', token: 't', instanceId: 'i' };
const arn = 'arn:aws:states:us-east-1:000000000000:stateMachine:updates';

function transportTo(
  url: string,
  how: { readonly callMs?: number; readonly credentials?: typeof never } = {},
) {
  const { callMs = transportLimits.callMs, credentials = async () => key } = how;
  const transport = createSqsTransport({
    cluster: 'test',
    agentId: 'a-1',
    api: url,
    intakeQueueUrl: `${url}/000000000000/intake`,
    sqs: { endpoint: url, region: 'us-east-1', credentials },
    log: () => undefined,
    limits: { ...transportLimits, callMs },
  });
  onTestFinished(() => transport.close());
  return transport;
}

const never = (): Promise<typeof key> => new Promise(() => undefined);
const open = new AbortController().signal;

/** One request of each client that the project makes, by the file that makes it. */
const requests: Readonly<Record<string, (url: string) => Promise<unknown>>> = {
  'shared/store/connection.ts': (url) =>
    createClient({ endpoint: url, limits }).send(new ListTablesCommand()),
  'functions/clients/sqs.ts': () => createSqsClient(limits).send(new ListQueuesCommand()),
  'functions/clients/workflow-port.ts': () =>
    createWorkflowPort(createSfnClient(limits), arn).answer('token', { v: 1 } as never),
  'functions/clients/invocation-port.ts': () => createStartFunction(createLambdaClient(limits))('f', {}),
  'functions/clients/event-port.ts': () =>
    createEventPort(createEventBridgeClient(limits), 'bus').publish([
      { detailType: 't', detail: {} } as never,
    ]),
  'functions/agent-lifecycle/auto-scaling.ts': () =>
    createTerminationPort(createAutoScalingClient(limits)).goOn(termination as never),
  'agent/sqs-transport.ts': (url) => transportTo(url).send({ ...envelope, kind: 'heartbeat', tasks: 0 }),
  'cli/local/queues.ts': (url) =>
    findQueueUrl({ endpoint: url, region: 'us-east-1', credentials: key }, 'q', limits),
};

const elsewhere: Readonly<Record<string, (url: string) => Promise<unknown>>> = {
  'the report of an agent': (url) => transportTo(url).send({ ...envelope, kind: 'status', statuses: [] }),
  'the search of an agent for its queue': (url) => transportTo(url).receive(open),
  'the list of an agent': (url) => transportTo(url).desired('s', open),
  'the typed client of the API': (url) =>
    createApiClient({ baseUrl: url, timeoutMs: 500, retries: 0 }).call('version'),
  'the reader of logs': (url) =>
    readLogPiece(url, {
      taskId: 't',
      process: 'p',
      stream: 'stdout',
      offset: 0,
      signal: AbortSignal.timeout(500),
    }),
};

beforeEach(() => {
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
  return () => vi.unstubAllEnvs();
});

async function mute(...how: Parameters<typeof startMuteServer>) {
  const server = await startMuteServer(...how);
  onTestFinished(() => server.close());
  vi.stubEnv('AWS_ENDPOINT_URL', server.url);
  return server;
}

describe.each(['never', 'half'] as const)('a server that answers (%s)', (kind) => {
  it.each(Object.entries({ ...requests, ...elsewhere }))('does not hang %s', async (_name, request) => {
    const server = await mute(kind);
    await expect(request(server.url)).rejects.toThrow();
    expect(server.asked).not.toEqual([]);
  });

  it('does not hang the doctor: it says what it could not see', async () => {
    const server = await mute(kind);
    const session = { aws: { region: 'us-east-1' } } as Session;
    const facts = await gatherDeployed(session, 'test', limits);
    expect(facts.identity).toMatchObject({ failure: expect.anything() });
    expect(facts.alarms).toMatchObject({ failure: expect.anything() });
    expect(server.asked.length).toBeGreaterThan(1);
  });

  it('does not hang an agent that waits for commands', async () => {
    const server = await mute(kind, { GetQueueUrl: (url) => ({ QueueUrl: `${url}/000000000000/q` }) });
    await expect(transportTo(server.url).receive(open)).rejects.toThrow();
    expect(server.asked).toContain('ReceiveMessage');
  });
});

describe('credentials that never come', () => {
  it('do not hang an agent', async () => {
    const { url } = await mute('never');
    const transport = transportTo(url, { callMs: 30, credentials: never });
    await expect(transport.send({ ...envelope, kind: 'status', statuses: [] })).rejects.toThrow(/given up/);
  });

  it('do not hang the client of the API', async () => {
    const { url } = await mute('never');
    const signed = createSignedFetch({ baseUrl: url, region: 'us-east-1', credentials: never });
    const client = createApiClient({ baseUrl: url, timeoutMs: 30, retries: 0, fetch: signed });
    await expect(client.call('version')).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('do not hang an agent that asks for its list', async () => {
    const { url } = await mute('never');
    const transport = createSqsTransport({
      cluster: 'test',
      agentId: 'a-1',
      api: url,
      intakeQueueUrl: url,
      fetch: createSignedFetch({ baseUrl: url, region: 'us-east-1', credentials: never }),
      log: () => undefined,
      limits: transportLimits,
    });
    await expect(transport.desired('s', open)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('the source', () => {
  const files = ['shared', 'functions', 'agent', 'cli', 'local', 'infra', 'scripts'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  const textOf = (file: string) => readFileSync(file, 'utf8');

  it('makes clients of AWS only where the tests above look', () => {
    const makers = files.filter((file) => /new [A-Z]\w*Client\(/.test(textOf(file)));
    expect(makers.toSorted()).toEqual([...Object.keys(requests), 'cli/doctor/gather-deployed.ts'].toSorted());
  });

  it('fetches nothing without a signal', () => {
    const bare = files.filter((file) =>
      [...textOf(file).matchAll(/[^.\w]fetch\(/g)].some(({ index }) => {
        const call = textOf(file).slice(index, index + 400);
        return !/signal|new Request\(|await sign\(/.test(call);
      }),
    );
    expect(bare).toEqual([]);
  });
});
