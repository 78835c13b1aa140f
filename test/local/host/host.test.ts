// The host on real engines with fixture handlers: what the template says is what happens.
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EngineClient, engineClient } from '../../../local/engines/aws-json.ts';
import { type DynamoEngine, startDynamoEngine } from '../../../local/engines/dynamo-engine.ts';
import { type SqsEngine, startSqsEngine } from '../../../local/engines/sqs-engine.ts';
import { type Host, startHost } from '../../../local/host/host.ts';
import { planFrom } from '../../../local/template/plan.ts';
import type { Template } from '../../../local/template/template.ts';
import * as fixture from '../../fixtures/local/handlers.ts';
import { lambda, queue, queueSource, streamSource, tableWithStream } from '../../fixtures/local/templates.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const around = { region: 'us-east-1', accountId: '000000000000', apiUrl: 'http://127.0.0.1:1' };
const stateMachineArn = 'arn:aws:states:us-east-1:000000000000:stateMachine:adder';
const handler = (name: string) => ({ Handler: `index.${name}` });

const template: Template = {
  Resources: {
    Api: lambda('handlers.ts', { FIXTURE_SETTING: 'on' }, { ...handler('api'), Timeout: 1 }),
    Worker: lambda('handlers.ts', {}, handler('queueWorker')),
    Consumer: lambda('handlers.ts', {}, handler('streamConsumer')),
    Sweep: lambda('handlers.ts', {}, handler('scheduled')),
    Adder: lambda('handlers.ts', {}, handler('increment')),
    Http: {
      Type: 'AWS::ApiGatewayV2::Integration',
      Properties: {
        IntegrationType: 'AWS_PROXY',
        IntegrationUri: { 'Fn::GetAtt': ['Api', 'Arn'] },
        PayloadFormatVersion: '2.0',
      },
    },
    Route: {
      Type: 'AWS::ApiGatewayV2::Route',
      Properties: {
        RouteKey: 'POST /things/{name}',
        Target: { 'Fn::Join': ['/', ['integrations', { Ref: 'Http' }]] },
      },
    },
    Dead: queue({ QueueName: 'dead' }),
    Plain: queue({
      QueueName: 'plain',
      VisibilityTimeout: 30,
      RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: 2 },
    }),
    Fifo: queue({
      QueueName: 'fifo.fifo',
      FifoQueue: true,
      VisibilityTimeout: 30,
      ContentBasedDeduplication: true,
    }),
    PlainSource: queueSource('Plain', 'Worker'),
    FifoSource: queueSource('Fifo', 'Worker'),
    Things: tableWithStream('things'),
    StreamDead: queue({ QueueName: 'stream-dead' }),
    ThingsSource: streamSource('Things', 'Consumer', {
      ParallelizationFactor: 2,
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['StreamDead', 'Arn'] } } },
    }),
    Nightly: {
      Type: 'AWS::Scheduler::Schedule',
      Properties: {
        Name: 'nightly',
        ScheduleExpression: 'rate(1 day)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { Arn: { 'Fn::GetAtt': ['Sweep', 'Arn'] } },
      },
    },
    Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: 'events' } },
    Machine: {
      Type: 'AWS::StepFunctions::StateMachine',
      Properties: {
        StateMachineName: 'adder',
        DefinitionString: {
          'Fn::Join': [
            '',
            [
              '{"StartAt":"Add","States":{"Add":{"Type":"Task","Resource":"',
              { 'Fn::GetAtt': ['Adder', 'Arn'] },
              '","Next":"Invoke"},"Invoke":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"',
              { 'Fn::GetAtt': ['Adder', 'Arn'] },
              '","Payload.$":"$"},"OutputPath":"$.Payload","End":true}}}',
            ],
          ],
        },
      },
    },
  },
};

let dynamo: DynamoEngine;
let sqs: SqsEngine;
let queues: EngineClient;
let rows: EngineClient;
let dataDir: string;
let host: Host;

async function start(): Promise<Host> {
  return startHost({
    plan: planFrom({ fixture: template }, { ...around, sqsEndpoint: sqs.endpoint }),
    root,
    dynamoEndpoint: dynamo.endpoint,
    sqsEndpoint: sqs.endpoint,
    port: 0,
    region: around.region,
    accountId: around.accountId,
    dataDir,
    log: () => undefined,
  });
}

beforeAll(async () => {
  [dynamo, sqs] = await Promise.all([startDynamoEngine(), startSqsEngine()]);
  queues = engineClient(sqs.endpoint, 'AmazonSQS');
  rows = engineClient(dynamo.endpoint, 'DynamoDB_20120810');
  dataDir = mkdtempSync(join(tmpdir(), 'borealis-host-'));
});

afterAll(async () => {
  for (const client of [queues, rows]) client?.close();
  await Promise.all([dynamo?.stop(), sqs?.stop()]);
  rmSync(dataDir, { recursive: true, force: true });
});

beforeEach(async () => {
  fixture.reset();
  host = await start();
});
afterEach(() => host.stop());

const urlOf = (name: string): string => `${sqs.endpoint}/${around.accountId}/${name}`;
const patience = { timeout: 20_000, interval: 20 };

async function send(queueName: string, instruction: fixture.Instruction, group?: string): Promise<void> {
  await queues.call('SendMessage', {
    QueueUrl: urlOf(queueName),
    MessageBody: JSON.stringify(instruction),
    ...(group !== undefined && { MessageGroupId: group }),
  });
}

async function put(pk: string, n: number, more: Record<string, unknown> = {}): Promise<void> {
  await rows.call('PutItem', {
    TableName: 'things',
    Item: { pk: { S: pk }, sk: { S: 'row' }, n: { N: String(n) }, ...more },
  });
}

async function waiting(queueName: string): Promise<number> {
  const { queues: depths } = await host.stats();
  const depth = depths[queueName];
  return (depth?.visible ?? 0) + (depth?.inFlight ?? 0) + (depth?.delayed ?? 0);
}

describe('the HTTP API', () => {
  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${host.port}${path}`, { method: 'POST', ...init });

  it('calls the function of the route and sends what it answers', async () => {
    const response = await call('/things/one?x=1', {
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('set-cookie')).toBe('seen=1');
    const body = (await response.json()) as { event: { body: string }; remainingMs: number; setting: string };
    expect(body).toMatchObject({
      event: {
        routeKey: 'POST /things/{name}',
        pathParameters: { name: 'one' },
        queryStringParameters: { x: '1' },
        body: '{"a":1}',
      },
      setting: 'on',
    });
    expect(body.remainingMs).toBeGreaterThan(0);
    expect(body.remainingMs).toBeLessThanOrEqual(1000);
  });

  it.each([
    ['/things/throw', 500, 'Internal Server Error'],
    ['/things/nothing', 500, 'Internal Server Error'],
    ['/things/slow', 503, 'Service Unavailable'],
    ['/nothing/here', 404, 'Not Found'],
    ['/things/%ff', 400, 'Bad Request'],
  ])('%s answers %i like API Gateway', async (path, status, message) => {
    const response = await call(path);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ message });
  });

  it('refuses a body larger than an event may be, and goes on', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request({
        port: host.port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/things/one',
        headers: { 'content-length': 7_000_000 },
      });
      outgoing.on('response', (response) => {
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      outgoing.write('x');
    });
    expect(status).toBe(413);
    expect((await call('/things/one')).status).toBe(200);
  });

  it('survives what is not HTTP', async () => {
    const socket = connect(host.port, '127.0.0.1');
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
      socket.write('\x00\x01 nonsense\r\n\r\n');
    });
    expect(answer).toContain('400 Bad Request');
    expect((await call('/things/one')).status).toBe(200);
  });

  it('answers for itself under /_local/', async () => {
    expect(await (await call('/_local/health', { method: 'GET' })).json()).toMatchObject({ ok: true });
    expect(await (await call('/_local/stats', { method: 'GET' })).json()).toMatchObject({
      sqsEndpoint: sqs.endpoint,
    });
    expect((await call('/_local/../../etc/passwd', { method: 'GET' })).status).toBe(404);
  });
});

describe('a queue', () => {
  it('delivers again only the message that failed', async () => {
    await send('plain', { id: 'good' });
    await send('plain', { id: 'shaky', failures: 1 });
    await vi.waitFor(() => expect(fixture.handled.toSorted()).toEqual(['good', 'shaky']), patience);
    expect(fixture.tries.get('good')).toBe(1);
    expect(fixture.tries.get('shaky')).toBe(2);
    await vi.waitFor(async () => expect(await waiting('plain')).toBe(0), patience);
  });

  it('puts a message that keeps failing into its dead-letter queue', async () => {
    await send('plain', { id: 'poison', failures: -1, throws: true });
    await vi.waitFor(async () => expect(await waiting('dead')).toBe(1), patience);
    expect(fixture.tries.get('poison')).toBe(2);
  });

  it('works on one message of a group at a time and in order, on groups side by side', async () => {
    const expected = new Map<string, string[]>();
    for (let number = 0; number < 24; number++) {
      const group = `g${number % 3}`;
      const id = `${group}-${number}`;
      expected.set(group, [...(expected.get(group) ?? []), id]);
      await send('fifo.fifo', { id, takesMs: 5, failures: number === 4 ? 1 : 0 }, group);
    }
    await vi.waitFor(() => expect(fixture.handled).toHaveLength(24), patience);
    for (const [group, ids] of expected) {
      expect(fixture.handled.filter((id) => id.startsWith(group))).toEqual(ids);
    }
    expect(fixture.concurrency.most).toBe(1);
  });
});

describe('a stream', () => {
  it('delivers every change of a key in order', async () => {
    for (let number = 0; number < 60; number++) await put(`k${number % 4}`, number);
    await vi.waitFor(() => expect(fixture.handled).toHaveLength(60), patience);
    for (const key of ['k0', 'k1', 'k2', 'k3']) {
      const numbers = fixture.handled
        .filter((id) => id.startsWith(`${key}:`))
        .map((id) => Number(id.split(':')[1]));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(numbers).toHaveLength(15);
    }
  });

  it('gives up a poison record with a note and delivers the others', async () => {
    for (let number = 0; number < 9; number++) {
      await put(`p${number}`, number, number === 4 ? { failures: { N: '-1' }, throws: { BOOL: true } } : {});
    }
    await vi.waitFor(async () => expect(await waiting('stream-dead')).toBe(1), patience);
    // A record before the poison one may come twice: the function threw after it.
    await vi.waitFor(() => expect(new Set(fixture.handled).size).toBe(8), patience);
    expect(fixture.handled).not.toContain('p4:4');
  });

  it('goes on after a restart where it was, and misses nothing that came in between', async () => {
    await put('before', 1);
    await vi.waitFor(() => expect(fixture.handled).toEqual(['before:1']), patience);
    await host.stop();
    fixture.reset();
    await put('between', 2);
    host = await start();
    await put('after', 3);
    await vi.waitFor(() => expect(fixture.handled).toContain('after:3'), patience);
    expect(fixture.handled).toContain('between:2');
    expect(fixture.handled).not.toContain('before:1');
  });
});

describe('the rest of the template', () => {
  it('runs every schedule once when the stack heals', async () => {
    await host.heal();
    expect(fixture.tries.get('scheduled')).toBe(1);
  });

  it('makes queues again that the engine lost', async () => {
    await queues.call('DeleteQueue', { QueueUrl: urlOf('plain') });
    await host.heal();
    await send('plain', { id: 'after-loss' });
    await vi.waitFor(() => expect(fixture.handled).toEqual(['after-loss']), patience);
  });

  it('takes events for the buses there are', async () => {
    const client = new EventBridgeClient({});
    const entry = { Source: 'borealis', DetailType: 'test', Detail: '{}' };
    const { FailedEntryCount, Entries } = await client.send(
      new PutEventsCommand({
        Entries: [
          { ...entry, EventBusName: 'events' },
          { ...entry, EventBusName: 'other' },
        ],
      }),
    );
    expect(FailedEntryCount).toBe(1);
    expect(Entries?.[1]?.ErrorCode).toBe('ResourceNotFoundException');
    expect(host.recentEvents()).toMatchObject([{ Source: 'borealis', EventBusName: 'events' }]);
    client.destroy();
  });

  it('runs state machines with the functions of the app as their tasks', async () => {
    const client = new SFNClient({});
    const { executionArn } = await client.send(
      new StartExecutionCommand({ stateMachineArn, input: '{"value":1}', name: 'run-1' }),
    );
    await vi.waitFor(async () => {
      const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
      expect(execution).toMatchObject({ status: 'SUCCEEDED', output: '{"value":3}' });
    }, patience);
    await expect(
      client.send(new StartExecutionCommand({ stateMachineArn, input: '{"value":2}', name: 'run-1' })),
    ).rejects.toMatchObject({
      name: 'ExecutionAlreadyExists',
    });
    client.destroy();
  });
});

describe('stopping', () => {
  it('waits for what is being worked on', async () => {
    await send('plain', { id: 'long', takesMs: 300 });
    await vi.waitFor(() => expect(fixture.tries.get('long')).toBe(1), patience);
    await host.stop();
    expect(fixture.handled).toEqual(['long']);
    host = await start();
    expect(await waiting('plain')).toBe(0);
  });
});
