// Sending to SQS: batches within both bounds, refused messages again, queues that are missing.
import { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAgentCommandPort } from '../../../functions/clients/agent-commands.ts';
import { listAgentQueues } from '../../../functions/clients/agent-queues.ts';
import { batches, createMessagePort } from '../../../functions/clients/message-port.ts';
import { startSqsEngine } from '../../../local/engines/sqs-engine.ts';

interface Sent {
  readonly name: string;
  readonly input: Record<string, unknown>;
}

/** A client whose answers are given by `answer`. */
function client(answer: (sent: Sent, calls: number) => unknown): { sqs: SQSClient; sent: Sent[] } {
  const sent: Sent[] = [];
  const sqs = {
    send: async (command: { constructor: { name: string }; input: Record<string, unknown> }) => {
      const one = { name: command.constructor.name, input: command.input };
      sent.push(one);
      return answer(one, sent.length);
    },
  } as unknown as SQSClient;
  return { sqs, sent };
}

type Entry = { Id: string; MessageBody: string; MessageGroupId?: string; MessageDeduplicationId?: string };
const entriesOf = ({ input }: Sent) => input.Entries as Entry[];

describe('batches', () => {
  it('hold ten messages and 250,000 bytes at most, in order', () => {
    const small = Array.from({ length: 25 }, (_, index) => ({ body: String(index) }));
    expect(batches(small).map((batch) => batch.length)).toEqual([10, 10, 5]);
    expect(batches(small).flat()).toEqual(small);
    const large = Array.from({ length: 5 }, () => ({ body: 'ä'.repeat(50_000) }));
    expect(batches(large).map((batch) => batch.length)).toEqual([2, 2, 1]);
    expect(batches([])).toEqual([]);
  });
});

describe('the message port', () => {
  it('sends texts beside the body, without what SQS refuses', async () => {
    const { sqs, sent } = client(() => ({}));
    const attributes = { reason: 'no\u0000 such\tjob\n', empty: '' };
    await createMessagePort(sqs).send('q', [{ body: 'x', attributes }]);
    expect((sent[0] as Sent).input.Entries).toMatchObject([
      {
        MessageAttributes: {
          reason: { DataType: 'String', StringValue: 'no? such\tjob\n' },
          empty: { DataType: 'String', StringValue: '-' },
        },
      },
    ]);
  });

  it('sends again only what was refused, under the same deduplication id', async () => {
    const { sqs, sent } = client((_sent, calls) => ({
      Failed: calls === 1 ? [{ Id: '1', Code: 'busy' }] : [],
    }));
    await createMessagePort(sqs).send('q', [
      { body: 'a', groupId: 'g' },
      { body: 'b', groupId: 'g' },
    ]);
    const [first, second] = sent.map(entriesOf);
    expect(second).toEqual([first?.[1]]);
    expect(new Set(first?.map(({ MessageDeduplicationId }) => MessageDeduplicationId)).size).toBe(2);
  });

  it('never gives two wake-ups one deduplication id, however alike', async () => {
    const { sqs, sent } = client(() => ({}));
    const port = createMessagePort(sqs);
    for (let index = 0; index < 3; index++) await port.send('q', [{ body: 'wake', groupId: 'p' }]);
    const ids = sent.flatMap(entriesOf).map(({ MessageDeduplicationId }) => MessageDeduplicationId);
    expect(new Set(ids).size).toBe(3);
  });

  it('throws UNAVAILABLE when messages stay refused', async () => {
    const { sqs } = client(() => ({ Failed: [{ Id: '0', Message: 'full' }] }));
    await expect(createMessagePort(sqs).send('q', [{ body: 'a' }])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('full'),
    });
  });
});

describe('the agent command port', () => {
  const gone = () => {
    const error = new Error('no such queue');
    error.name = 'QueueDoesNotExist';
    return error;
  };

  it('makes a queue that is missing, once, and remembers its address', async () => {
    const { sqs, sent } = client(({ name }) => {
      if (name === 'GetQueueUrlCommand') throw gone();
      return name === 'CreateQueueCommand' ? { QueueUrl: 'http://sqs/a1' } : {};
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local');
    await Promise.all([port.ensureQueue('a1'), port.ensureQueue('a1')]);
    await port.send('a1', [{ v: 1, kind: 'kill', taskIds: ['t'] }]);
    expect(sent.map(({ name }) => name)).toEqual([
      'GetQueueUrlCommand',
      'CreateQueueCommand',
      'SendMessageBatchCommand',
    ]);
    expect(sent[1]?.input).toMatchObject({ QueueName: 'borealis-local-agent-a1' });
    expect(sent[2]?.input).toMatchObject({ QueueUrl: 'http://sqs/a1' });
  });

  it('leaves the queue to the owner of the agent, over TLS', async () => {
    const arn = 'arn:aws:sqs:eu-west-1:1:borealis-local-agent-a1';
    const { sqs, sent } = client(({ name }) => {
      if (name === 'GetQueueUrlCommand') return { QueueUrl: 'http://sqs/a1' };
      return name === 'GetQueueAttributesCommand' ? { Attributes: { QueueArn: arn } } : {};
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local', 'bound');
    await port.guardQueue('a1', 'AROA:i-1');
    await port.guardQueue('a1', undefined);
    const policies = sent.flatMap(({ name, input }) => {
      if (name !== 'SetQueueAttributesCommand') return [];
      const { Attributes } = input as { Attributes: { Policy: string } };
      return [
        JSON.parse(Attributes.Policy) as { Statement: { Sid: string; Resource: string; Effect: string }[] },
      ];
    });
    expect(policies.map(({ Statement }) => Statement.map(({ Sid }) => Sid))).toEqual([
      ['OnlyOverTls', 'OnlyItsAgent'],
      ['OnlyOverTls'],
    ]);
    expect(policies[0]?.Statement[1]).toEqual({
      Sid: 'OnlyItsAgent',
      Effect: 'Deny',
      Principal: '*',
      Resource: arn,
      Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
      Condition: { StringNotEquals: { 'aws:userid': 'AROA:i-1' } },
    });
    const open = client(() => ({ QueueUrl: 'http://sqs/a1' }));
    await createAgentCommandPort(open.sqs, createMessagePort(open.sqs), 'local').guardQueue('a1', 'x');
    expect(open.sent).toEqual([]);
  });

  it('heals when somebody deleted the queue', async () => {
    let deleted = true;
    const { sqs, sent } = client(({ name }) => {
      if (name === 'SendMessageBatchCommand' && deleted) {
        deleted = false;
        throw gone();
      }
      return name === 'SendMessageBatchCommand' ? {} : { QueueUrl: 'http://sqs/a1' };
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local');
    await port.send('a1', [{ v: 1, kind: 'kill', taskIds: ['t'] }]);
    expect(sent.filter(({ name }) => name === 'SendMessageBatchCommand')).toHaveLength(2);
  });

  it('has none for a minute after it was deleted, which costs the hints and nobody the wait', async () => {
    let resting = true;
    const { sqs, sent } = client(({ name }) => {
      if (name === 'GetQueueUrlCommand') throw gone();
      if (name !== 'CreateQueueCommand') return {};
      if (resting) throw Object.assign(new Error('wait 60 s'), { name: 'QueueDeletedRecently' });
      return { QueueUrl: 'http://sqs/a1' };
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local', 'bound');
    const kill = [{ v: 1 as const, kind: 'kill' as const, taskIds: ['t'] }];
    expect(await port.ensureQueue('a1')).toBe('later');
    expect(await port.send('a1', kill)).toBe('later');
    await port.guardQueue('a1', 'AROA:a1');
    expect(sent.filter(({ name }) => name.startsWith('Se'))).toEqual([]);
    resting = false;
    expect(await port.send('a1', kill)).toBe('sent');
  });

  it('is made anew by what was sent, which says so: nobody guards it yet', async () => {
    let isThere = true;
    const { sqs } = client(({ name }) => {
      if (name === 'CreateQueueCommand') isThere = true;
      if (!isThere) throw gone();
      return { QueueUrl: 'http://sqs/a1' };
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local', 'bound');
    expect(await port.send('a1', [{ v: 1, kind: 'reconcile' }])).toBe('sent');
    isThere = false;
    expect(await port.send('a1', [{ v: 1, kind: 'reconcile' }])).toBe('made');
    isThere = false;
    await expect(port.guardQueue('a1', 'x')).rejects.toThrow('no such queue');
    expect(await port.ensureQueue('a1')).toBe('ready');
    isThere = false;
    expect(await port.ensureQueue('a1')).toBe('ready');
    expect(isThere).toBe(false);
    expect(await port.ensureQueue('a1', 'anew')).toBe('ready');
    expect(isThere).toBe(true);
  });

  it('is deleted, also if it is gone already, and made anew on the next use', async () => {
    const engine = await startSqsEngine();
    const region = { region: 'us-east-1', credentials: { accessKeyId: 'x', secretAccessKey: 'x' } };
    const sqs = new SQSClient({ endpoint: engine.endpoint, ...region });
    onTestFinished(async () => {
      sqs.destroy();
      await engine.stop();
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local');
    await port.dropQueue('a1');
    await port.ensureQueue('a1');
    await port.ensureQueue('a2');
    const names = async () => (await listAgentQueues(sqs, 'local')).map(({ agentId }) => agentId).sort();
    expect(await names()).toEqual(['a1', 'a2']);
    await port.dropQueue('a1');
    await port.dropQueue('a1');
    expect(await names()).toEqual(['a2']);
    expect(await port.send('a1', [{ v: 1, kind: 'reconcile' }])).toBe('sent');
    expect(await names()).toEqual(['a1', 'a2']);
  });

  it('forgets an address it could not get', async () => {
    let down = true;
    const { sqs } = client(({ name }) => {
      if (down) throw new Error('down');
      return name === 'SendMessageBatchCommand' ? {} : { QueueUrl: 'http://sqs/a1' };
    });
    const port = createAgentCommandPort(sqs, createMessagePort(sqs), 'local');
    await expect(port.ensureQueue('a1')).rejects.toThrow('down');
    down = false;
    await expect(port.ensureQueue('a1')).resolves.toBe('ready');
  });
});
