// Deletes the command queues of all agents of a cluster. They are made while the cluster runs, so the stacks don't know
// them, and nobody else would take them away.
import type { SQSClient } from '@aws-sdk/client-sqs';
import { mapLimit } from '../../shared/store/flow.ts';
import { deleteQueue, listAgentQueues } from '../clients/agent-queues.ts';

const deletionsAtOnce = 32;

/** Answers how many were deleted. Throws what SQS does; deleting again then does the rest. */
export async function deleteAgentQueues(client: SQSClient, cluster: string): Promise<number> {
  const queues = await listAgentQueues(client, cluster);
  // An earlier try may have deleted some; the list lags.
  await mapLimit(queues, deletionsAtOnce, ({ url }) => deleteQueue(client, url));
  return queues.length;
}
