// The command queue of each agent: made on first use, addressed by name, found again if somebody deleted it.
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type QueueAttributeName,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { IdentityMode } from '../../shared/domain/agent/identity.ts';
import { agentQueueName } from '../../shared/model/names.ts';
import type { AgentCommandPort, MessagePort } from '../ports.ts';
import { deleteQueue, isQueueDeletedRecently, isQueueMissing } from './agent-queues.ts';
import { agentQueuePolicy } from './queue-policy.ts';

/** Commands are hints: after this an agent that was away asks for the whole list anyway. */
const retentionSeconds = 3600;
const visibilitySeconds = 30;
const longPollSeconds = 20;

/**
 * AgentCommandPort over one SQS client; queue addresses are remembered while the process is warm. Queues are guarded
 * where callers have identities.
 */
export function createAgentCommandPort(
  client: SQSClient,
  messages: MessagePort,
  cluster: string,
  identity: IdentityMode = 'none',
): AgentCommandPort {
  const urls = new Map<string, Promise<string | undefined>>();
  const urlOf = (agentId: string): Promise<string | undefined> => {
    const known = urls.get(agentId);
    if (known) return known;
    const url = findOrCreate(client, agentQueueName(cluster, agentId));
    urls.set(agentId, url);
    // Only what is there is remembered.
    url.then(
      (found) => found ?? urls.delete(agentId),
      () => urls.delete(agentId),
    );
    return url;
  };
  return {
    async ensureQueue(agentId, how) {
      if (how === 'anew') urls.delete(agentId);
      return (await urlOf(agentId)) === undefined ? 'later' : 'ready';
    },
    async guardQueue(agentId, owner) {
      if (identity === 'none') return;
      const QueueUrl = await urlOf(agentId);
      if (QueueUrl === undefined) return;
      try {
        await guard(client, QueueUrl, owner);
      } catch (error) {
        if (isQueueMissing(error)) urls.delete(agentId);
        throw error;
      }
    },
    async send(agentId, commands) {
      const outgoing = commands.map((command) => ({ body: JSON.stringify(command) }));
      const url = await urlOf(agentId);
      if (url === undefined) return 'later';
      try {
        await messages.send(url, outgoing);
        return 'sent';
      } catch (error) {
        if (!isQueueMissing(error)) throw error;
        urls.delete(agentId);
      }
      const made = await urlOf(agentId);
      if (made === undefined) return 'later';
      await messages.send(made, outgoing);
      return 'made';
    },
    async dropQueue(agentId) {
      urls.delete(agentId);
      const url = await find(client, agentQueueName(cluster, agentId));
      if (url !== undefined) await deleteQueue(client, url);
    },
  };
}

async function guard(client: SQSClient, QueueUrl: string, owner: string | undefined): Promise<void> {
  const names: QueueAttributeName[] = ['QueueArn'];
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: names }),
  );
  const Policy = agentQueuePolicy(Attributes?.QueueArn ?? '*', owner);
  await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
}

async function find(client: SQSClient, name: string): Promise<string | undefined> {
  try {
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
    return QueueUrl;
  } catch (error) {
    if (!isQueueMissing(error)) throw error;
    return undefined;
  }
}

/** Undefined if a queue of that name was deleted less than a minute ago, so that none can be made yet. */
async function findOrCreate(client: SQSClient, name: string): Promise<string | undefined> {
  const found = await find(client, name);
  if (found !== undefined) return found;
  const Attributes = {
    MessageRetentionPeriod: String(retentionSeconds),
    VisibilityTimeout: String(visibilitySeconds),
    ReceiveMessageWaitTimeSeconds: String(longPollSeconds),
    SqsManagedSseEnabled: 'true',
  };
  try {
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
    return QueueUrl ?? '';
  } catch (error) {
    if (!isQueueDeletedRecently(error)) throw error;
    return undefined;
  }
}
