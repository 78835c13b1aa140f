// Ends a wait of a state machine: the job has ended, or Borealis has refused it. Jobs that nobody waits for are most of
// those this function is told of; they cost one read.
import { DeleteItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { SendTaskFailureCommand, SendTaskSuccessCommand, SFNClient } from '@aws-sdk/client-sfn';
import type { EventDetail } from '../../../shared/model/events.ts';

/** What the rule gives (job-runner.ts). */
export type FinishJob = { readonly table: string } & (
  | { readonly detailType: 'Job Ended'; readonly detail: EventDetail<'Job Ended'> }
  | { readonly detailType: 'Command Rejected'; readonly detail: EventDetail<'Command Rejected'> }
);

const clients: { dynamo?: DynamoDBClient; states?: SFNClient } = {};

export async function handler(input: FinishJob): Promise<void> {
  const { role, environment, name } = input.detail;
  const key = { TableName: input.table, Key: { job: { S: `${role}/${environment}/${name}` } } };
  clients.dynamo ??= new DynamoDBClient({});
  const { Item } = await clients.dynamo.send(new GetItemCommand({ ...key, ConsistentRead: true }));
  const taskToken = Item?.token?.S;
  if (taskToken === undefined) return;
  await answer(taskToken, input);
  await clients.dynamo.send(new DeleteItemCommand(key));
}

/** Nobody may wait any more: the state timed out, or this event comes again. */
const gone = new Set(['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken']);

async function answer(taskToken: string, input: FinishJob): Promise<void> {
  clients.states ??= new SFNClient({});
  const text = JSON.stringify(input.detail);
  const command =
    errorOf(input) === undefined
      ? new SendTaskSuccessCommand({ taskToken, output: text })
      : new SendTaskFailureCommand({ taskToken, error: errorOf(input), cause: text });
  try {
    await clients.states.send(command as SendTaskSuccessCommand);
  } catch (error) {
    if (!(error instanceof Error && gone.has(error.name))) throw error;
  }
}

/** The error that Retry and Catch of the state see; undefined if all went well. */
function errorOf(input: FinishJob): string | undefined {
  if (input.detailType === 'Command Rejected') return 'JobRejected';
  const { outcome } = input.detail;
  return outcome === 'succeeded' ? undefined : outcome === 'failed' ? 'JobFailed' : 'JobKilled';
}
