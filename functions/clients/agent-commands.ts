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
import { agentQueuePolicy } from './queue-policy.ts';

/** Commands are hints: after this an agent that was away asks for the whole list anyway. */
const retentionSeconds = 3600;
const visibilitySeconds = 30;
const longPollSeconds = 20;

const missing = new Set(['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue']);

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
  const urls = new Map<string, Promise<string>>();
  const urlOf = (agentId: string): Promise<string> => {
    const known = urls.get(agentId);
    if (known) return known;
    const url = findOrCreate(client, agentQueueName(cluster, agentId));
    urls.set(agentId, url);
    url.catch(() => urls.delete(agentId));
    return url;
  };
  return {
    async ensureQueue(agentId) {
      await urlOf(agentId);
    },
    async guardQueue(agentId, owner) {
      if (identity === 'none') return;
      const QueueUrl = await urlOf(agentId);
      const names: QueueAttributeName[] = ['QueueArn'];
      const { Attributes } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: names }),
      );
      const Policy = agentQueuePolicy(Attributes?.QueueArn ?? '*', owner);
      await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    },
    async send(agentId, commands) {
      const outgoing = commands.map((command) => ({ body: JSON.stringify(command) }));
      try {
        await messages.send(await urlOf(agentId), outgoing);
      } catch (error) {
        if (!isMissing(error)) throw error;
        urls.delete(agentId);
        await messages.send(await urlOf(agentId), outgoing);
      }
    },
  };
}

async function findOrCreate(client: SQSClient, name: string): Promise<string> {
  try {
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
    if (QueueUrl) return QueueUrl;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: {
        MessageRetentionPeriod: String(retentionSeconds),
        VisibilityTimeout: String(visibilitySeconds),
        ReceiveMessageWaitTimeSeconds: String(longPollSeconds),
        SqsManagedSseEnabled: 'true',
      },
    }),
  );
  return QueueUrl ?? '';
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && missing.has(error.name);
}
