// What AWS says of a deployment. Reads only. Which resources belong to it is asked of its stacks, so a resource that is
// added later is looked at without a change here.
import {
  CloudFormationClient,
  DescribeStacksCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, paginateDescribeAlarms } from '@aws-sdk/client-cloudwatch';
import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { GetEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { type RequestLimits, requestHandlerWith } from '../../shared/lib/request-limits.ts';
import { toolLimits } from '../local/queues.ts';
import type { Session } from '../session.ts';
import type { DeployedFacts, Found, QueueFacts, TableFacts } from './facts.ts';

const parts = ['state', 'control-plane', 'observability'] as const;
const atOnce = 4;

/** Everything AWS tells; whatever cannot be had says why, nothing is thrown. */
export async function gatherDeployed(
  session: Session,
  cluster: string,
  limits: RequestLimits = toolLimits,
): Promise<DeployedFacts> {
  const region = session.aws.region ?? 'us-east-1';
  const config = {
    region,
    maxAttempts: 3,
    requestHandler: requestHandlerWith(limits),
    ...(session.aws.profile !== undefined && {
      credentials: fromNodeProviderChain({ profile: session.aws.profile }),
    }),
  };
  const stacks = parts.map((part) => `borealis-${cluster}-${part}`);
  const cloudFormation = new CloudFormationClient(config);
  const resources = await attempt(() => listResources(cloudFormation, stacks.slice(0, 2)));
  const of = (type: string): Found<readonly string[]> =>
    'found' in resources
      ? { found: resources.found.filter((one) => one.type === type).map(({ id }) => id) }
      : resources;
  const [identity, statuses, schedules, sources, tables, queues, alarms] = await Promise.all([
    attempt(
      async () => (await new STSClient(config).send(new GetCallerIdentityCommand({}))).Arn ?? 'unknown',
    ),
    Promise.all(stacks.map((name) => stackStatus(cloudFormation, name))),
    eachOf(of('AWS::Scheduler::Schedule'), scheduleReader(new SchedulerClient(config))),
    eachOf(of('AWS::Lambda::EventSourceMapping'), sourceReader(new LambdaClient(config))),
    eachOf(of('AWS::DynamoDB::Table'), tableReader(new DynamoDBClient(config))),
    eachOf(of('AWS::SQS::Queue'), queueReader(new SQSClient(config))),
    attempt(() => raisedAlarms(new CloudWatchClient(config), cluster)),
  ]);
  return {
    cluster,
    region,
    identity,
    stacks: stacks.map((name, index) => ({ name, status: statuses[index] as Found<string> })),
    schedules,
    sources,
    tables,
    queues,
    alarms,
  };
}

async function listResources(client: CloudFormationClient, stacks: readonly string[]) {
  const found: { readonly type: string; readonly id: string }[] = [];
  for (const StackName of stacks) {
    for await (const page of paginateListStackResources({ client }, { StackName })) {
      for (const { ResourceType, PhysicalResourceId } of page.StackResourceSummaries ?? []) {
        if (ResourceType && PhysicalResourceId) found.push({ type: ResourceType, id: PhysicalResourceId });
      }
    }
  }
  return found;
}

function stackStatus(client: CloudFormationClient, StackName: string): Promise<Found<string>> {
  return attempt(async () => {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
    return Stacks?.[0]?.StackStatus ?? 'unknown';
  });
}

const scheduleReader = (client: SchedulerClient) => async (id: string) => {
  const Name = id.split('/').at(-1) ?? id;
  const { State } = await client.send(new GetScheduleCommand({ Name }));
  return { name: Name, state: State ?? 'unknown' };
};

const sourceReader = (client: LambdaClient) => async (UUID: string) => {
  const { State, FunctionArn } = await client.send(new GetEventSourceMappingCommand({ UUID }));
  return { name: FunctionArn?.split(':').at(-1) ?? UUID, state: State ?? 'unknown' };
};

const tableReader =
  (client: DynamoDBClient) =>
  async (TableName: string): Promise<TableFacts> => {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const { ContinuousBackupsDescription } = await client.send(
      new DescribeContinuousBackupsCommand({ TableName }),
    );
    const recovery = ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
    return {
      name: TableName,
      status: Table?.TableStatus ?? 'unknown',
      restorable: recovery === 'ENABLED',
      deletionProtected: Table?.DeletionProtectionEnabled === true,
    };
  };

const queueReader =
  (client: SQSClient) =>
  async (QueueUrl: string): Promise<QueueFacts> => {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return {
      name: QueueUrl.split('/').at(-1) ?? QueueUrl,
      visible: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
    };
  };

async function raisedAlarms(client: CloudWatchClient, cluster: string) {
  const alarms: { readonly name: string; readonly reason: string }[] = [];
  const request = { AlarmNamePrefix: `borealis-${cluster}-`, StateValue: 'ALARM' as const };
  for await (const page of paginateDescribeAlarms({ client }, request)) {
    for (const { AlarmName, StateReason } of page.MetricAlarms ?? []) {
      if (AlarmName) alarms.push({ name: AlarmName, reason: StateReason ?? 'no reason given' });
    }
  }
  return alarms;
}

/** Reads each of them, a few at a time; the first failure stands for all. */
async function eachOf<T>(
  ids: Found<readonly string[]>,
  read: (id: string) => Promise<T>,
): Promise<Found<readonly T[]>> {
  if (!('found' in ids)) return ids;
  return attempt(async () => {
    const waiting = [...ids.found.entries()];
    const found: T[] = [];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        found[next[0]] = await read(next[1]);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return found;
  });
}

async function attempt<T>(work: () => Promise<T>): Promise<Found<T>> {
  try {
    return { found: await work() };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    if (/AccessDenied|Unauthorized|NotAuthorized/i.test(name)) return { failure: 'denied', why: message };
    const isMissing = /does not exist|NotFound/i.test(`${name} ${message}`);
    return { failure: isMissing ? 'missing' : 'failed', why: message || name };
  }
}
