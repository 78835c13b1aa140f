// Looks at stored rows and index entries as they are, past the store.
import { DynamoDBDocumentClient, GetCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Task } from '../../shared/model/task.ts';
import { taskKeyOf } from '../../shared/store/keys.ts';
import type { StoreUnderTest } from './engines.ts';

type Row = Record<string, unknown>;

export async function rawTask(subject: StoreUnderTest, task: Task): Promise<Row | undefined> {
  const doc = DynamoDBDocumentClient.from(subject.client);
  const key = { TableName: subject.stateTable, Key: taskKeyOf(task), ConsistentRead: true };
  return (await doc.send(new GetCommand(key))).Item;
}

/** Which of the sparse indexes hold the task's row, in alphabetical order. */
export async function indexesOf(subject: StoreUnderTest, task: Task): Promise<string[]> {
  const { pk, sk } = taskKeyOf(task);
  const found: string[] = [];
  for (const index of ['due', 'onagent', 'pending']) {
    const pages = paginateScan(
      { client: DynamoDBDocumentClient.from(subject.client) },
      {
        TableName: subject.stateTable,
        IndexName: index,
        FilterExpression: 'pk = :pk AND sk = :sk',
        ExpressionAttributeValues: { ':pk': pk, ':sk': sk },
      },
    );
    for await (const page of pages) if ((page.Items?.length ?? 0) > 0) found.push(index);
  }
  return found;
}
