// Begins a wait of a state machine: notes its task token under the job's name, then asks Borealis for the job. In this
// order, for the job may have ended before this function has.
import { createHash } from 'node:crypto';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { putCommand } from './put-command.ts';

/** What the state gives (job-runner.ts). */
export interface StartJob {
  readonly bus: string;
  readonly table: string;
  readonly taskToken: string;
  readonly role: string;
  readonly environment: string;
  readonly name: string;
  readonly job: Readonly<Record<string, unknown>>;
}

/** A task token is good for a year. */
const tokenLifeSecs = 366 * 24 * 3600;

let client: DynamoDBClient | undefined;

export async function handler(input: StartJob): Promise<void> {
  const { bus, table, taskToken, role, environment, job } = input;
  // The same for every try of this state, another for every state: an end can never be taken for that of another run.
  const id = createHash('sha256').update(taskToken).digest('hex').slice(0, 16);
  const name = `${input.name}-${id}`;
  client ??= new DynamoDBClient({});
  await client.send(
    new PutItemCommand({
      TableName: table,
      Item: {
        job: { S: `${role}/${environment}/${name}` },
        token: { S: taskToken },
        expiresAt: { N: String(Math.floor(Date.now() / 1000) + tokenLifeSecs) },
      },
    }),
  );
  await putCommand(bus, { version: 1, id, role, environment, name, action: 'submit', body: { job } });
}
