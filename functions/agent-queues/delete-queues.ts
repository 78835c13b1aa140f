// Deletes the command queues of all agents of a cluster. They are made while the cluster runs, so the stacks don't know
// them, and nobody else would take them away.
import {
  DeleteQueueCommand,
  ListQueuesCommand,
  type ListQueuesCommandOutput,
  QueueDoesNotExist,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { agentQueueName } from '../../shared/model/names.ts';
import { mapLimit } from '../../shared/store/flow.ts';

const pageSize = 1000;
const deletionsAtOnce = 32;

/** Answers how many were deleted. Throws what SQS does; deleting again then does the rest. */
export async function deleteAgentQueues(client: SQSClient, cluster: string): Promise<number> {
  const urls: string[] = [];
  let NextToken: string | undefined;
  do {
    const page: ListQueuesCommandOutput = await client.send(
      new ListQueuesCommand({
        QueueNamePrefix: agentQueueName(cluster, ''),
        MaxResults: pageSize,
        ...(NextToken !== undefined && { NextToken }),
      }),
    );
    urls.push(...(page.QueueUrls ?? []));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  await mapLimit(urls, deletionsAtOnce, (url) => deleteQueue(client, url));
  return urls.length;
}

async function deleteQueue(client: SQSClient, QueueUrl: string): Promise<void> {
  try {
    await client.send(new DeleteQueueCommand({ QueueUrl }));
  } catch (error) {
    // An earlier try deleted it; the list may lag a minute behind.
    if (!(error instanceof QueueDoesNotExist)) throw error;
  }
}
