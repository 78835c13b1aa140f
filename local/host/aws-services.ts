// The small services no npm engine covers, on one loopback port: EventBridge's PutEvents, and the calls of Step Functions
// that start, look at and end an execution or answer one that waits, and Lambda's call of a function that nobody waits
// for. Same protocols as AWS, so the SDK clients of the handlers work.
import { createServer, type IncomingMessage } from 'node:http';
import * as z from 'zod';
import { isBorealisError } from '../../shared/lib/errors.ts';
import { busName } from '../template/rule-plan.ts';
import type { PutEvent } from './event-bus.ts';
import type { StateMachines } from './state-machines.ts';

export interface AwsServices {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export interface AwsServicesOptions {
  readonly buses: readonly string[];
  readonly machines: StateMachines;
  /** Takes an event of a bus that exists; answers its id. */
  readonly put: (bus: string, event: PutEvent) => string;
  /** Calls a function and does not wait for it; false if there is none of this name. */
  readonly startFunction: (name: string, event: unknown) => boolean;
}

type Operation = (input: unknown) => unknown;

const putEventsInput = z.object({
  Entries: z.array(
    z.object({
      Source: z.string().optional(),
      DetailType: z.string().optional(),
      Detail: z.string().optional(),
      EventBusName: z.string().optional(),
      Resources: z.array(z.string()).optional(),
    }),
  ),
});
const startInput = z.object({
  stateMachineArn: z.string(),
  input: z.string().default('{}'),
  name: z.string().optional(),
});
const taskSuccessInput = z.object({ taskToken: z.string(), output: z.string() });
const taskFailureInput = z.object({
  taskToken: z.string(),
  error: z.string().default('States.TaskFailed'),
  cause: z.string().default(''),
});
const executionInput = z.object({ executionArn: z.string() });

/** Starts to listen on a free port of 127.0.0.1. */
export async function startAwsServices(options: AwsServicesOptions): Promise<AwsServices> {
  const operations = operationsOf(options);
  const server = createServer((request, response) => {
    answerTo(request, operations, options)
      .catch((error: unknown) => failure(error))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
        response.end(JSON.stringify(body));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

class ServiceError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

const invocationPath = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** Lambda's protocol has the operation in the path, that of the others in a header. */
function answerTo(
  request: IncomingMessage,
  operations: ReadonlyMap<string, Operation>,
  options: AwsServicesOptions,
): Promise<Answer> {
  const name = invocationPath.exec(request.url ?? '')?.[1];
  return name === undefined
    ? call(operations, request)
    : startFunction(decodeURIComponent(name), request, options);
}

async function startFunction(
  name: string,
  request: IncomingMessage,
  options: AwsServicesOptions,
): Promise<Answer> {
  const kind = request.headers['x-amz-invocation-type'];
  if (kind !== 'Event') {
    throw new ServiceError(
      'InvalidParameterValueException',
      `invocations of type ${String(kind)} are not simulated`,
    );
  }
  const event: unknown = JSON.parse((await bodyOf(request)) || '{}');
  if (!options.startFunction(name, event))
    throw new ServiceError('ResourceNotFoundException', `there is no function ${name}`);
  return { status: 202, body: {} };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function call(operations: ReadonlyMap<string, Operation>, request: IncomingMessage): Promise<Answer> {
  const target = String(request.headers['x-amz-target']);
  const operation = operations.get(target);
  if (!operation)
    throw new ServiceError('UnknownOperationException', `${target} is not part of the embedded stack`);
  const input: unknown = JSON.parse(await bodyOf(request));
  return { status: 200, body: operation(input) };
}

function failure(error: unknown): Answer {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const type = isBorealisError(error, 'NOT_FOUND')
    ? 'StateMachineDoesNotExist'
    : isBorealisError(error, 'CONFLICT')
      ? 'ExecutionAlreadyExists'
      : name;
  return { status: 400, body: { __type: type, message } };
}

function operationsOf({ buses, machines, put }: AwsServicesOptions): ReadonlyMap<string, Operation> {
  return new Map<string, Operation>([
    ['AWSEvents.PutEvents', (input) => putEvents(putEventsInput.parse(input).Entries, buses, put)],
    [
      'AWSStepFunctions.StartExecution',
      (input) => {
        const { stateMachineArn, input: payload, name } = startInput.parse(input);
        const { executionArn, startDate } = machines.start(stateMachineArn, payload, name);
        return { executionArn, startDate };
      },
    ],
    [
      'AWSStepFunctions.DescribeExecution',
      (input) => {
        const { executionArn } = executionInput.parse(input);
        const execution = machines.describe(executionArn);
        if (execution) return execution;
        throw new ServiceError('ExecutionDoesNotExist', `there is no execution ${executionArn}`);
      },
    ],
    [
      'AWSStepFunctions.StopExecution',
      (input) => {
        machines.stop(executionInput.parse(input).executionArn);
        return { stopDate: Date.now() / 1000 };
      },
    ],
    [
      'AWSStepFunctions.SendTaskSuccess',
      (input) => {
        const { taskToken, output } = taskSuccessInput.parse(input);
        return answered(
          machines.answer(taskToken, { kind: 'success', output: JSON.parse(output) as unknown }),
        );
      },
    ],
    [
      'AWSStepFunctions.SendTaskFailure',
      (input) => {
        const { taskToken, error, cause } = taskFailureInput.parse(input);
        return answered(machines.answer(taskToken, { kind: 'failure', error, cause }));
      },
    ],
  ]);
}

function answered(taken: boolean): object {
  if (taken) return {};
  throw new ServiceError('TaskTimedOut', 'no state waits with this token any more');
}

function putEvents(
  entries: readonly PutEvent[],
  buses: readonly string[],
  put: AwsServicesOptions['put'],
): unknown {
  const answers = entries.map((entry) => {
    const bus = busName(entry.EventBusName ?? 'default');
    if (bus !== 'default' && !buses.includes(bus)) {
      return { ErrorCode: 'ResourceNotFoundException', ErrorMessage: `there is no event bus ${bus}` };
    }
    try {
      return { EventId: put(bus, entry) };
    } catch (error) {
      return { ErrorCode: 'MalformedDetail', ErrorMessage: error instanceof Error ? error.message : '' };
    }
  });
  return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
}
