// The SDK's commands as the simulated services carry them out: commands in, answers and errors out.
import type { MemoryDynamo } from '../model/memory-dynamo.ts';
import type { Container } from './lambda.ts';
import type { QueueRegistry } from './queue-registry.ts';
import type { ServiceCall, Services } from './services.ts';
import type { Workflows } from './workflows.ts';

// biome-ignore lint/suspicious/noExplicitAny: requests of many shapes
type Shape = any;
export interface Command {
  readonly input: Shape;
}

export interface ClientDeps {
  readonly services: Services;
  readonly dynamo: MemoryDynamo;
  readonly queues: QueueRegistry;
  readonly workflows: () => Workflows;
  /** Calls a function and does not wait for it. */
  readonly start: (name: string, event: unknown) => void;
}

const writes = new Set(['Put', 'Update', 'Delete', 'TransactWrite', 'BatchWrite', 'BatchExecuteStatement']);

/** Carries out commands of the document client. */
export function storeCall(
  container: Container,
  { services, dynamo }: ClientDeps,
  command: Command,
): Promise<unknown> {
  const { input } = command;
  const operation = operationOf(command);
  return services.call(container, {
    service: 'store',
    operation,
    execute: () => dynamo.execute(operation, input),
    partly: partlyOf(operation, input, dynamo),
    isWrite: writes.has(operation),
    ...(operation === 'TransactWrite' && { transactItems: input.TransactItems.length as number }),
    describe: () => describe(operation, input),
  });
}

function operationOf(command: Command): string {
  return command.constructor.name.replace('Command', '');
}

/** The first part of the request carried out, the rest named in the answer. */
function partlyOf(operation: string, input: Shape, dynamo: MemoryDynamo): ServiceCall<unknown>['partly'] {
  if (operation === 'BatchExecuteStatement') {
    const all = input.Statements as Shape[];
    return (share) => {
      const done = Math.floor(share * all.length);
      const part = { ...input, Statements: all.slice(0, done) };
      const { Responses } = done === 0 ? { Responses: [] } : dynamo.execute(operation, part);
      const refused = {
        Error: { Code: share < 0.5 ? 'ThrottlingError' : 'TransactionConflict', Message: 'simulated' },
      };
      return { Responses: [...Responses, ...all.slice(done).map(() => refused)] };
    };
  }
  if (operation === 'BatchGet') {
    const [table, { Keys }] = Object.entries(input.RequestItems as Record<string, Shape>)[0] as [
      string,
      Shape,
    ];
    return (share) => {
      const done = Math.floor(share * Keys.length);
      const part = { RequestItems: { [table]: { Keys: Keys.slice(0, done) } } };
      const { Responses } = dynamo.execute(operation, part);
      return { Responses, UnprocessedKeys: { [table]: { Keys: Keys.slice(done) } } };
    };
  }
  if (operation === 'BatchWrite') {
    const [table, requests] = Object.entries(input.RequestItems as Record<string, Shape>)[0] as [
      string,
      Shape,
    ];
    return (share) => {
      const done = Math.floor(share * requests.length);
      if (done > 0) dynamo.execute(operation, { RequestItems: { [table]: requests.slice(0, done) } });
      return { UnprocessedItems: { [table]: requests.slice(done) } };
    };
  }
  return undefined;
}

function describe(operation: string, input: Shape): string {
  const keyOf = ({ pk, sk }: Shape) => `${pk} ${sk}`;
  switch (operation) {
    case 'TransactWrite':
      return (input.TransactItems as Shape[])
        .map((item) => Object.values(item)[0] as Shape)
        .map((one) => keyOf(one.Key ?? one.Item))
        .join(', ');
    case 'BatchExecuteStatement':
      return `${input.Statements.length} statements ${String(input.Statements[0].Statement).slice(0, 6)}`;
    case 'Query':
      return `${input.IndexName ?? ''} ${JSON.stringify(Object.values(input.ExpressionAttributeValues))}`;
    case 'BatchGet':
    case 'BatchWrite':
      return '';
    default:
      return keyOf(input.Key ?? input.Item);
  }
}

/** Carries out commands of the SQS client; a queue's URL is its name. */
export function queueCall(
  container: Container,
  { services, queues }: ClientDeps,
  command: Command,
): Promise<unknown> {
  const { input } = command;
  const operation = operationOf(command);
  return services.call(container, {
    service: 'queue',
    operation,
    execute: () => sqsRequest(operation, input, queues),
    ...(operation === 'SendMessageBatch' && {
      partly: (share: number) => {
        const entries = input.Entries as Shape[];
        const done = Math.floor(share * entries.length);
        sqsRequest(operation, { ...input, Entries: entries.slice(0, done) }, queues);
        return { Failed: entries.slice(done).map(({ Id }) => ({ Id, Code: 'ServiceUnavailable' })) };
      },
    }),
    isWrite: true,
    describe: () =>
      `${input.QueueUrl ?? input.QueueName} ${(input.Entries ?? []).map((e: Shape) => e.MessageBody)}`,
  });
}

function sqsRequest(operation: string, input: Shape, queues: QueueRegistry): unknown {
  if (operation === 'CreateQueue') return { QueueUrl: queues.create(input.QueueName).name };
  if (operation === 'ListQueues') return { QueueUrls: queues.named(input.QueueNamePrefix) };
  const queue = queues.get(input.QueueName ?? input.QueueUrl);
  if (!queue) throw Object.assign(new Error('no such queue'), { name: 'QueueDoesNotExist' });
  if (operation === 'DeleteQueue') {
    queues.delete(queue.name);
    return {};
  }
  if (operation === 'GetQueueUrl') return { QueueUrl: queue.name };
  if (operation === 'ReceiveMessage') {
    const messages = queue.receive(input.MaxNumberOfMessages);
    return {
      Messages: messages.map(({ id, body, sentAt }) => {
        return { Body: body, ReceiptHandle: id, Attributes: { SentTimestamp: String(sentAt) } };
      }),
    };
  }
  if (operation === 'ChangeMessageVisibilityBatch') {
    for (const { ReceiptHandle, VisibilityTimeout } of input.Entries as Shape[]) {
      queue.changeVisibility(ReceiptHandle, VisibilityTimeout * 1000);
    }
    return { Failed: [] };
  }
  if (operation === 'DeleteMessageBatch') {
    queue.deleteIds((input.Entries as Shape[]).map(({ ReceiptHandle }) => ReceiptHandle));
    return { Failed: [] };
  }
  if (operation !== 'SendMessageBatch') throw new Error(`${operation} is not modelled`);
  for (const entry of input.Entries as Shape[]) {
    if (queue.isFifo !== (entry.MessageGroupId !== undefined))
      throw new Error(`${queue.name}: wrong kind of message`);
    queue.send(entry.MessageBody, {
      groupId: entry.MessageGroupId,
      deduplicationId: entry.MessageDeduplicationId,
      delayMs: (entry.DelaySeconds ?? 0) * 1000,
    });
  }
  return { Successful: [], Failed: [] };
}

/** Carries out commands of the EventBridge client; nobody listens. */
/** Lambda's event invocations; other calls are not made. */
export function functionCall(
  container: Container,
  { services, start }: ClientDeps,
  { input }: Command,
): Promise<unknown> {
  return services.call(container, {
    service: 'bus',
    operation: 'Invoke',
    execute: () => {
      start(input.FunctionName as string, JSON.parse(input.Payload as string));
      return {};
    },
    isWrite: true,
  });
}

export function busCall(
  container: Container,
  { services }: ClientDeps,
  { input }: Command,
): Promise<unknown> {
  return services.call(container, {
    service: 'bus',
    operation: 'PutEvents',
    execute: () => ({ Entries: (input.Entries as Shape[]).map(() => ({})) }),
    isWrite: true,
  });
}

/** Carries out commands of the Step Functions client. */
export function workflowCall(
  container: Container,
  { services, workflows }: ClientDeps,
  command: Command,
): Promise<unknown> {
  const { input } = command;
  const operation = operationOf(command);
  return services.call(container, {
    service: 'workflows',
    operation,
    execute: () => workflowRequest(operation, input, workflows()),
    isWrite: operation !== 'DescribeExecution',
    describe: () => input.name ?? input.executionArn ?? input.taskToken,
  });
}

function workflowRequest(operation: string, input: Shape, workflows: Workflows): unknown {
  switch (operation) {
    case 'StartExecution':
      workflows.start(input.name, input.input);
      return {};
    case 'DescribeExecution':
      return { status: workflows.describe(input.executionArn.split(':').at(-1)) };
    case 'SendTaskSuccess':
      workflows.answer(input.taskToken, input.output);
      return {};
    default:
      throw new Error(`${operation} is not modelled`);
  }
}
