// The custom resource on a real SQS engine, with a server in CloudFormation's place.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CreateQueueCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { handler } from '../../../functions/agent-queues/handler.ts';
import { startSqsEngine } from '../../../local/engines/sqs-engine.ts';
import { agentQueueName, intakeQueueName } from '../../../shared/model/names.ts';

interface Answer {
  readonly method: string | undefined;
  readonly contentType: string | undefined;
  readonly body: unknown;
}

async function cloudFormation(): Promise<{ url: string; answers: Answer[] }> {
  const answers: Answer[] = [];
  const server = createServer((request, response) => {
    const { method, headers } = request;
    void text(request).then((body) => {
      answers.push({ method, contentType: headers['content-type'], body: JSON.parse(body) });
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer?signed=yes`, answers };
}

async function sqs(): Promise<SQSClient> {
  const engine = await startSqsEngine();
  vi.stubEnv('AWS_ENDPOINT_URL_SQS', engine.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  const client = new SQSClient({});
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    client.destroy();
    await engine.stop();
  });
  return client;
}

const eventOf = (RequestType: 'Create' | 'Update' | 'Delete', ResponseURL: string) =>
  ({
    RequestType,
    ResponseURL,
    StackId: 'stack-1',
    RequestId: 'request-1',
    LogicalResourceId: 'Queues',
  }) as CloudFormationCustomResourceEvent;

const context = { logStreamName: 'stream-1', awsRequestId: 'request-1' };
const common = {
  StackId: 'stack-1',
  RequestId: 'request-1',
  LogicalResourceId: 'Queues',
  PhysicalResourceId: 'agent-queues',
};

async function namesOf(client: SQSClient): Promise<string[]> {
  const { QueueUrls = [] } = await client.send(new ListQueuesCommand({}));
  return QueueUrls.map((url) => url.split('/').at(-1) ?? '').toSorted();
}

describe("the resource of the agents' queues", () => {
  it.each(['Create', 'Update'] as const)('%s: leaves every queue alone', async (kind) => {
    const client = await sqs();
    const { url, answers } = await cloudFormation();
    vi.stubEnv('BOREALIS_CLUSTER', 'prod');
    await client.send(new CreateQueueCommand({ QueueName: agentQueueName('prod', 'a-1') }));
    await handler(eventOf(kind, url), context);
    expect(await namesOf(client)).toEqual([agentQueueName('prod', 'a-1')]);
    expect(answers).toEqual([{ method: 'PUT', contentType: '', body: { ...common, Status: 'SUCCESS' } }]);
  });

  it('Delete: deletes those of its cluster and no others', async () => {
    const client = await sqs();
    const { url, answers } = await cloudFormation();
    vi.stubEnv('BOREALIS_CLUSTER', 'prod');
    const others = [intakeQueueName('prod'), agentQueueName('prod-2', 'a-1')];
    const agents = Array.from({ length: 40 }, (_, index) => agentQueueName('prod', `a-${index}`));
    for (const QueueName of [...others, ...agents]) await client.send(new CreateQueueCommand({ QueueName }));
    await handler(eventOf('Delete', url), context);
    expect(await namesOf(client)).toEqual(others.toSorted());
    expect(answers.map(({ body }) => body)).toEqual([{ ...common, Status: 'SUCCESS' }]);
  });

  it('answers what went wrong, so that CloudFormation does not wait', async () => {
    await sqs();
    const { url, answers } = await cloudFormation();
    vi.stubEnv('BOREALIS_CLUSTER', '');
    await handler(eventOf('Delete', url), context);
    expect(answers.map(({ body }) => body)).toEqual([
      { ...common, Status: 'FAILED', Reason: expect.stringMatching(/BOREALIS_CLUSTER.*log stream stream-1/) },
    ]);
  });
});
