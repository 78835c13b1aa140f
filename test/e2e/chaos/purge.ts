// The loss of every message: all queues of an installation emptied at once, as an operator can by mistake. It is more than
// a crash of SQS could do, which keeps what it took; whatever the messages were hints at must come about without them.
import { ListQueuesCommand, PurgeQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { emulated } from '../../deploy/emulated.ts';
import type { Installation } from '../harness.ts';
import { historyQueueName } from './events-stack.ts';

/** Empties every queue but that of the recorder. */
export async function purgeQueues({
  endpoints,
  cluster,
}: Pick<Installation, 'endpoints' | 'cluster'>): Promise<void> {
  const sqs = new SQSClient(emulated(endpoints.sqs));
  try {
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
    const emptied = QueueUrls.filter((url) => !url.endsWith(`/${historyQueueName(cluster)}`));
    await Promise.all(emptied.map((QueueUrl) => sqs.send(new PurgeQueueCommand({ QueueUrl }))));
  } finally {
    sqs.destroy();
  }
}
