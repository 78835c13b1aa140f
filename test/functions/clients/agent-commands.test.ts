// The queues that are made while a cluster runs: no template says how, so the calls are looked at.
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { createAgentCommandPort } from '../../../functions/clients/agent-commands.ts';

/** SQS without a queue; remembers what was asked of it. */
function emptySqs() {
  const calls: unknown[] = [];
  const client = {
    send: async (command: unknown) => {
      calls.push(command);
      if (command instanceof GetQueueUrlCommand) {
        throw Object.assign(new Error('no such queue'), { name: 'QueueDoesNotExist' });
      }
      return { QueueUrl: 'http://sqs/agent', Attributes: { QueueArn: 'arn:aws:sqs:us-east-1:1:agent' } };
    },
  };
  return { client: client as unknown as SQSClient, calls };
}

describe('the queue of an agent', () => {
  it('is made with server-side encryption', async () => {
    const { client, calls } = emptySqs();
    await createAgentCommandPort(client, { send: async () => undefined }, 'test').ensureQueue('a1');
    const [created] = calls.filter((call) => call instanceof CreateQueueCommand);
    expect(created?.input.Attributes).toMatchObject({ SqsManagedSseEnabled: 'true' });
  });

  it('takes requests over TLS only, once it is guarded', async () => {
    const { client, calls } = emptySqs();
    const port = createAgentCommandPort(client, { send: async () => undefined }, 'test', 'bound');
    await port.guardQueue('a1', 'AROAEXAMPLE');
    const [guarded] = calls.filter((call) => call instanceof SetQueueAttributesCommand);
    const policy = JSON.parse(guarded?.input.Attributes?.Policy ?? '{}') as { Statement: unknown[] };
    expect(policy.Statement).toContainEqual(
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    );
  });
});
