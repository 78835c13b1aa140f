// Using Borealis by events: commands in by bus and queue, state changes out, and every example of examples/events, on
// the embedded stack and on what was deployed.

import { fileURLToPath } from 'node:url';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import {
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsQueueName, eventBusName } from '../../shared/model/names.ts';
import { emulated } from '../deploy/emulated.ts';
import { type Installation, startInstallation, until } from './harness.ts';

const examples = fileURLToPath(new URL('../../examples/events/stacks.ts', import.meta.url));
const deployed = process.env.BOREALIS_E2E_API !== undefined;

let borealis: Installation;
let bus: EventBridgeClient;
let sqs: SQSClient;
let states: SFNClient;
beforeAll(async () => {
  borealis = await startInstallation(['agent-a', 'agent-b'], { stacks: [examples] });
  bus = new EventBridgeClient(emulated(borealis.endpoints.aws));
  states = new SFNClient(emulated(borealis.endpoints.aws));
  sqs = new SQSClient(emulated(borealis.endpoints.sqs));
});
afterAll(async () => {
  for (const client of [bus, states, sqs]) client?.destroy();
  await borealis?.stop();
});

const key = { role: 'demo', environment: 'devel' };
let count = 0;
/** A name no other test uses, also on an installation that outlives this one. */
const fresh = (name: string): string => `${name}-${process.pid}-${Date.now().toString(36)}-${count++}`;

function script(cmdline: string, more: object = {}) {
  const resources = { cpu: 0.1, ram: '32MiB', disk: '16MiB' };
  return { task: { resources, processes: [{ name: 'run', cmdline, minDurationSecs: 1 }] }, ...more };
}

async function put(detail: object, over: { source?: string; detailType?: string; bus?: string } = {}) {
  const { FailedEntryCount } = await bus.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: over.bus ?? eventBusName(borealis.cluster),
          Source: over.source ?? `borealis/${key.role}/${key.environment}`,
          DetailType: over.detailType ?? 'Borealis Command',
          Detail: JSON.stringify(detail),
        },
      ],
    }),
  );
  expect(FailedEntryCount).toBe(0);
}

async function queueUrl(name: string): Promise<string> {
  const { QueueUrl } = await sqs.send(
    new GetQueueUrlCommand({ QueueName: `borealis-${borealis.cluster}-${name}` }),
  );
  return QueueUrl ?? '';
}

interface Letter {
  // biome-ignore lint/suspicious/noExplicitAny: looked at field by field
  readonly body: any;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Takes messages until one is what is looked for; the others are of no interest to anybody. */
async function takeFrom(name: string, wanted: (letter: Letter) => boolean): Promise<Letter> {
  const QueueUrl = await queueUrl(name);
  return until(`a message in ${name}`, async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        MessageAttributeNames: ['All'],
      }),
    );
    const letters = Messages.map(({ Body = '', MessageAttributes = {} }): Letter => {
      const attributes = Object.entries(MessageAttributes).map(([at, { StringValue = '' }]) => [
        at,
        StringValue,
      ]);
      return { body: parsed(Body), attributes: Object.fromEntries(attributes) as Record<string, string> };
    });
    for (const { ReceiptHandle } of Messages) {
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
    return letters.find(wanted);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Waits until every task of the job has the state. */
async function untilAll(name: string, state: string) {
  return until(`${name} to be ${state}`, async () => {
    const detail = await borealis.job(name);
    return detail.tasks.length > 0 && detail.tasks.every((task) => task.state === state) && detail;
  });
}

async function jobNamed(prefix: string) {
  return until(`a job ${prefix}*`, async () => {
    const { jobs } = await borealis.api.call('listJobs', { query: { limit: 1000 } });
    return jobs.find(({ name }) => name.startsWith(prefix));
  });
}

describe('commands', () => {
  it('from the bus submit a job once, however often they are sent', async () => {
    const name = fresh('from-bus');
    const command = { version: 1, id: name, ...key, name, action: 'submit', body: { job: script('exit 0') } };
    await put(command);
    await put(command);
    const { job } = await untilAll(name, 'FINISHED');
    expect(job.createdBy).toBe('event/000000000000/borealis/demo/devel');
    expect(job.specVersion).toBe(1);
  });

  it('from the queue submit, add to and kill a job', async () => {
    const name = fresh('from-queue');
    const QueueUrl = await queueUrl('commands');
    expect(QueueUrl).toContain(commandsQueueName(borealis.cluster));
    const send = (action: string, body: object) =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl,
          MessageBody: JSON.stringify({ version: 1, ...key, name, action, body }),
        }),
      );
    await send('submit', { job: script('exec sleep 600', { service: true, instances: 2 }) });
    expect((await untilAll(name, 'RUNNING')).tasks).toHaveLength(2);
    await send('add', { count: 1 });
    await until('three tasks to run', async () => {
      const { tasks } = await borealis.job(name);
      return tasks.filter(({ state }) => state === 'RUNNING').length === 3;
    });
    await send('kill', { message: 'enough' });
    const { tasks } = await untilAll(name, 'KILLED');
    expect(tasks[0]?.events.some(({ message }) => message.includes('enough'))).toBe(true);
  });

  it('that are refused lie in the dead-letter queue with the reason, and the bus tells', async () => {
    const name = fresh('refused');
    await put({ version: 1, id: name, ...key, name, action: 'kill' });
    const letter = await takeFrom('commands-dlq', ({ attributes }) => attributes.commandId === name);
    expect(letter.attributes).toMatchObject({
      code: 'NOT_FOUND',
      from: 'event/000000000000/borealis/demo/devel',
    });
    expect(letter.body.detail).toMatchObject({ name, action: 'kill' });
    const told = await takeFrom('trouble', ({ body }) => body.detail?.commandId === name);
    expect(told.body).toMatchObject({
      source: 'borealis',
      'detail-type': 'Command Rejected',
      detail: { version: 1, code: 'NOT_FOUND', action: 'kill', name },
    });
  });

  it('speak only for the role and environment of their source', async () => {
    const name = fresh('stranger');
    const command = { version: 1, id: name, ...key, name, action: 'submit', body: { job: script('exit 0') } };
    await put(command, { source: 'borealis/demo/prod' });
    const letter = await takeFrom('commands-dlq', ({ attributes }) => attributes.commandId === name);
    expect(letter.attributes).toMatchObject({ code: 'FORBIDDEN' });
    await takeFrom('trouble', ({ body }) => body.detail?.commandId === name);
    await expect(borealis.job(name)).rejects.toThrow(/no job/);
  });
});

describe('the examples', () => {
  it('trouble queue: a rule on the bus brings the end of a job that failed', async () => {
    const name = fresh('fails');
    await put({ version: 1, ...key, name, action: 'submit', body: { job: script('exit 3') } });
    const { body } = await takeFrom(
      'trouble',
      (letter) => letter.body['detail-type'] === 'Job Ended' && letter.body.detail.name === name,
    );
    expect(body.detail).toMatchObject({
      version: 1,
      outcome: 'failed',
      instances: { failed: 1, finished: 0 },
    });
  });

  it('job on event: a rule on the default bus submits a job with values of the event', async () => {
    const order = `it's {{odd}} "${fresh('order')}"`;
    await put({ order }, { source: 'shop', detailType: 'Order Placed', bus: 'default' });
    const { name } = await jobNamed('order-');
    const [task] = (await untilAll(name, 'FINISHED')).tasks;
    const log = await borealis.cli('task', 'logs', `${borealis.cluster}/demo/devel/${name}/0`);
    expect(log.stdout).toContain(`packing order ${order}`);
    expect(task?.instance).toBe(0);
  });

  it('job on object: an object in the bucket becomes a job', async () => {
    const bucket = `borealis-${borealis.cluster}-uploads-000000000000`;
    const object = fresh('in/file');
    if (deployed) {
      const path = `${borealis.endpoints.aws}/${bucket}/${object}`;
      expect((await fetch(path, { method: 'PUT', body: 'hello' })).status).toBe(200);
      const { name } = await jobNamed('import-');
      await untilAll(name, 'FINISHED');
      expect((await fetch(path, { method: 'DELETE' })).status).toBe(204);
      return;
    }
    // No object storage here: its event, as S3 puts it on the default bus.
    await put(
      { version: '0', bucket: { name: bucket }, object: { key: object, size: 5 }, reason: 'PutObject' },
      { source: 'aws.s3', detailType: 'Object Created', bus: 'default' },
    );
    const { name } = await jobNamed('import-');
    await untilAll(name, 'FINISHED');
    const log = await borealis.cli('task', 'logs', `${borealis.cluster}/demo/devel/${name}/0`);
    expect(log.stdout).toContain(`importing s3://${bucket}/${object}`);
  });

  async function execution(input: object) {
    const stateMachineArn = `arn:aws:states:us-east-1:000000000000:stateMachine:borealis-${borealis.cluster}-nightly`;
    const { executionArn } = await states.send(
      new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
    );
    return until('the execution to end', async () => {
      const found = await states.send(new DescribeExecutionCommand({ executionArn }));
      return found.status !== 'RUNNING' && found;
    });
  }

  it('job runner: a state machine goes on when its job has finished', async () => {
    const { status, output = '' } = await execution({ exitCode: '0' });
    expect(status).toBe('SUCCEEDED');
    expect(JSON.parse(output)).toMatchObject({
      ...key,
      name: expect.stringMatching(/^report-/),
      outcome: 'succeeded',
      instances: { finished: 1 },
    });
  });

  it('job runner: a state fails when its job has failed', async () => {
    expect(await execution({ exitCode: '4' })).toMatchObject({ status: 'FAILED', error: 'JobFailed' });
  });

  it('job runner: a state fails when its job is refused', async () => {
    expect(await execution({ exitCode: '{{nobody}}' })).toMatchObject({
      status: 'FAILED',
      error: 'JobRejected',
    });
    await takeFrom('commands-dlq', ({ body }) => String(body.detail?.name).startsWith('report-'));
  });
});
