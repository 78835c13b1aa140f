// The production transport against a real SQS engine and a small API.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseGpuNames } from '../../agent/offer.ts';
import { createSqsTransport } from '../../agent/sqs-transport.ts';
import { startSqsEngine } from '../../local/engines/sqs-engine.ts';
import { isBorealisError } from '../../shared/lib/errors.ts';
import { agentQueueName, heartbeatQueueName } from '../../shared/model/names.ts';
import { waitFor } from './fakes/agent-fixture.ts';
import { launchOf } from './fakes/launches.ts';

async function fixture(answer: { status: number; body: unknown } = { status: 404, body: {} }) {
  const engine = await startSqsEngine();
  const sqs = {
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  const client = new SQSClient(sqs);
  const intake = await client.send(new CreateQueueCommand({ QueueName: 'intake' }));
  const paths: string[] = [];
  const api = createServer((request, response) => {
    paths.push(request.url ?? '');
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const dropped: string[] = [];
  const logged: string[] = [];
  const transport = createSqsTransport({
    cluster: 'test',
    agentId: 'a-1',
    api: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    intakeQueueUrl: intake.QueueUrl as string,
    sqs,
    log: (_level, message, facts) => {
      dropped.push(message);
      logged.push(JSON.stringify(facts));
    },
  });
  onTestFinished(async () => {
    transport.close();
    client.destroy();
    api.close();
    await engine.stop();
  });
  const makeQueue = async () => {
    const made = await client.send(new CreateQueueCommand({ QueueName: agentQueueName('test', 'a-1') }));
    return made.QueueUrl as string;
  };
  return { transport, client, intakeUrl: intake.QueueUrl as string, makeQueue, dropped, logged, paths };
}

const never = new AbortController().signal;

describe('the SQS transport', () => {
  const envelope = { v: 1, agentId: 'a-1', sessionId: 's', sentAt: 1 } as const;
  const statuses = [
    {
      taskId: launchOf({ processes: [{ name: 'a', cmdline: 'x' }] }).taskId,
      state: 'RUNNING' as const,
      at: 1,
    },
  ];

  it('sends reports to the intake queue, heartbeats to their own', async () => {
    const { transport, client, intakeUrl } = await fixture();
    const made = await client.send(new CreateQueueCommand({ QueueName: heartbeatQueueName('test') }));
    const bodyIn = async (QueueUrl: string) => {
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
      return JSON.parse(Messages?.[0]?.Body ?? '') as unknown;
    };
    const status = { ...envelope, kind: 'status', statuses } as const;
    const heartbeat = { ...envelope, kind: 'heartbeat', tasks: 0 } as const;
    await transport.send(status);
    await transport.send(heartbeat);
    expect(await bodyIn(intakeUrl)).toEqual(status);
    expect(await bodyIn(made.QueueUrl as string)).toEqual(heartbeat);
  });

  it('rejects while its queue does not exist and receives once it does', async () => {
    const { transport, client, makeQueue } = await fixture();
    await expect(transport.receive(never)).rejects.toThrow(/queue/i);
    const url = await makeQueue();
    const command = {
      v: 1,
      kind: 'kill',
      taskIds: [launchOf({ processes: [{ name: 'a', cmdline: 'x' }] }).taskId],
    };
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify(command) }));
    const received = await transport.receive(never);
    expect(received.map((each) => each.command)).toEqual([command]);
    await received[0]?.ack();
    await waitFor(async () => expect(await count(client, url)).toBe(0));
  });

  it('drops what is not a command, and says so without repeating it', async () => {
    const { transport, client, makeQueue, dropped, logged } = await fixture();
    const url = await makeQueue();
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: '{"v":1,"kind":"hunter2"}' }));
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'hunter2 is no json' }));
    while (dropped.length < 2) expect(await transport.receive(never)).toEqual([]);
    expect(logged.join()).toContain('it is not JSON');
    expect(logged.join()).not.toContain('hunter2');
    await waitFor(async () => expect(await count(client, url)).toBe(0));
  });

  it('ends a long poll when told to stop', async () => {
    const { transport, makeQueue } = await fixture();
    await makeQueue();
    const stop = new AbortController();
    const receiving = transport.receive(stop.signal);
    setTimeout(() => stop.abort(), 100);
    await expect(receiving).rejects.toThrow();
  });

  it('reads the level of its own agent', async () => {
    const { config, ...launch } = launchOf({ processes: [{ name: 'a', cmdline: 'x' }] });
    const tasks = [
      { state: 'ASSIGNED', run: true, launch: { ...launch, configId: 'c' } },
      { state: 'RUNNING', run: true, launch: { ...launch, taskId: `${launch.taskId}x`, configId: 'gone' } },
    ];
    const level = { agentId: 'a-1', asOf: 5, tasks, configs: { c: config }, next: null };
    const { transport, paths } = await fixture({ status: 200, body: level });
    expect(await transport.desired('s-1', never)).toEqual({
      agentId: 'a-1',
      asOf: 5,
      tasks: [{ state: 'ASSIGNED', run: true, launch: { ...launch, config } }],
      others: [`${launch.taskId}x`],
    });
    expect(paths).toEqual(['/agents/a-1/tasks?session=s-1']);
  });

  it.each([
    [404, {}, 'NOT_FOUND'],
    [403, { message: 'Forbidden' }, 'FORBIDDEN'],
    [409, {}, 'CONFLICT'],
    [503, {}, 'UNAVAILABLE'],
  ] as const)('says so when the API answers %i', async (status, body, code) => {
    const { transport } = await fixture({ status, body });
    const error = await transport.desired('s-1', never).catch((thrown: unknown) => thrown);
    expect(isBorealisError(error, code)).toBe(true);
  });

  it("gives the API's own words for refusing", async () => {
    const detail = 'agent a-1 is bound to another identity';
    const problem = { type: 't', title: 't', status: 403, code: 'FORBIDDEN', detail, requestId: 'r' };
    const { transport } = await fixture({ status: 403, body: problem });
    await expect(transport.desired('s-1', never)).rejects.toThrow(detail);
  });

  it('refuses a level it does not understand', async () => {
    const { transport } = await fixture({ status: 200, body: { tasks: 'all' } });
    await expect(transport.desired('s-1', never)).rejects.toThrow();
  });
});

describe('parseGpuNames', () => {
  it('takes one name a line as a model without blanks', () => {
    expect(parseGpuNames('Tesla T4\nNVIDIA A100-SXM4-40GB\n\n')).toEqual([
      'Tesla-T4',
      'NVIDIA-A100-SXM4-40GB',
    ]);
  });
});

async function count(client: SQSClient, url: string): Promise<number> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  );
  return Object.values(Attributes ?? {}).reduce((total, value) => total + Number(value), 0);
}
