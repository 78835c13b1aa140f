// The command queues of all agents of a cluster, as SQS lists them.
import {
  DeleteQueueCommand,
  ListQueuesCommand,
  type ListQueuesCommandOutput,
  QueueDoesNotExist,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { agentQueueName } from '../../shared/model/names.ts';

const pageSize = 1000;

export interface AgentQueue {
  readonly agentId: string;
  readonly url: string;
}

/** Those that SQS knows of; the list may lag a minute behind. */
export async function listAgentQueues(client: SQSClient, cluster: string): Promise<AgentQueue[]> {
  const prefix = agentQueueName(cluster, '');
  const queues: AgentQueue[] = [];
  let NextToken: string | undefined;
  do {
    const page: ListQueuesCommandOutput = await client.send(
      new ListQueuesCommand({
        QueueNamePrefix: prefix,
        MaxResults: pageSize,
        ...(NextToken !== undefined && { NextToken }),
      }),
    );
    for (const url of page.QueueUrls ?? []) {
      queues.push({ agentId: url.slice(url.lastIndexOf('/') + 1 + prefix.length), url });
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return queues;
}

/** Also if it is gone already. */
export async function deleteQueue(client: SQSClient, QueueUrl: string): Promise<void> {
  try {
    await client.send(new DeleteQueueCommand({ QueueUrl }));
  } catch (error) {
    if (!isQueueMissing(error)) throw error;
  }
}

const missing = new Set(['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue']);

export function isQueueMissing(error: unknown): boolean {
  return error instanceof QueueDoesNotExist || (error instanceof Error && missing.has(error.name));
}

const deletedRecently = new Set(['QueueDeletedRecently', 'AWS.SimpleQueueService.QueueDeletedRecently']);

/** SQS makes no queue of the same name for a minute after one was deleted. */
export function isQueueDeletedRecently(error: unknown): boolean {
  return error instanceof Error && deletedRecently.has(error.name);
}
