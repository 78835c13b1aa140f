// The command queue of each agent: made on first use, addressed by name, found again if somebody deleted it.
import { CreateQueueCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { agentQueueName } from '../../shared/model/names.ts';
import type { AgentCommandPort, MessagePort } from '../ports.ts';

/** Commands are hints: after this an agent that was away asks for the whole list anyway. */
const retentionSeconds = 3600;
const visibilitySeconds = 30;
const longPollSeconds = 20;

const missing = new Set(['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue']);

/** AgentCommandPort over one SQS client; queue addresses are remembered while the process is warm. */
export function createAgentCommandPort(
  client: SQSClient,
  messages: MessagePort,
  cluster: string,
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
      },
    }),
  );
  return QueueUrl ?? '';
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && missing.has(error.name);
}
