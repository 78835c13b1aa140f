// The one place that sends requests: adds capacity reporting when somebody counts, and turns failures into
// BorealisErrors. Condition failures are outcomes, not errors, so they pass through as the SDK gives them.
import {
  ConditionalCheckFailedException,
  type ConsumedCapacity,
  DynamoDBClient,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type RequestLimits, requestHandlerWith } from '../lib/request-limits.ts';
import { storeError } from './errors.ts';
import type { CapacityMeter } from './port.ts';
import { quietLogger } from './quiet-logger.ts';

export interface ConnectionOptions {
  /** Absent = the region's own endpoint. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Replaces the limits of functions. */
  readonly limits?: RequestLimits;
}

const storeLimits: RequestLimits = { connectMs: 2_000, answerMs: 10_000, sockets: 128 };

/** A client with bounded waiting: 2 s to connect, 10 s for an answer, 5 attempts. */
export function createClient(options: ConnectionOptions = {}): DynamoDBClient {
  return new DynamoDBClient({
    ...(options.region !== undefined && { region: options.region }),
    ...(options.endpoint !== undefined && {
      endpoint: options.endpoint,
      region: options.region ?? 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    }),
    maxAttempts: 5,
    logger: quietLogger,
    requestHandler: requestHandlerWith(options.limits ?? storeLimits),
  });
}

/** What sends the commands of the document client; a simulator brings its own. */
export type DocumentSender = Pick<DynamoDBDocumentClient, 'send'>;

export interface Connection {
  readonly doc: DocumentSender;
  readonly state: string;
  readonly notes: string;
  readonly meter?: CapacityMeter | undefined;
}

export function connect(input: {
  readonly client: DynamoDBClient | DocumentSender;
  readonly stateTable: string;
  readonly notesTable: string;
  readonly meter?: CapacityMeter | undefined;
}): Connection {
  const { client } = input;
  return {
    doc:
      client instanceof DynamoDBClient
        ? DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
        : client,
    state: input.stateTable,
    notes: input.notesTable,
    meter: input.meter,
  };
}

type Send = DynamoDBDocumentClient['send'];
interface Reports {
  readonly ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] | undefined;
}

/**
 * Sends one command. Conditional failures and cancelled transactions are rethrown as they are, for the caller to turn
 * into an outcome; anything else becomes a BorealisError that names `operation`.
 */
export async function send<Output extends object>(
  connection: Connection,
  operation: string,
  kind: 'read' | 'write',
  command: { readonly input: object },
): Promise<Output> {
  if (connection.meter) Object.assign(command.input, { ReturnConsumedCapacity: 'INDEXES' });
  try {
    const output = (await connection.doc.send(
      command as unknown as Parameters<Send>[0],
    )) as unknown as Output & Reports;
    if (connection.meter) count(connection.meter, operation, kind, output.ConsumedCapacity);
    return output;
  } catch (error) {
    if (isOutcome(error)) throw error;
    throw storeError(operation, error);
  }
}

function isOutcome(error: unknown): boolean {
  return (
    error instanceof ConditionalCheckFailedException ||
    error instanceof TransactionCanceledException ||
    error instanceof TransactionConflictException
  );
}

function count(
  meter: CapacityMeter,
  operation: string,
  kind: 'read' | 'write',
  consumed: ConsumedCapacity | ConsumedCapacity[] | undefined,
): void {
  for (const one of [consumed ?? []].flat()) {
    const units = one.CapacityUnits ?? 0;
    const writes = one.WriteCapacityUnits ?? (kind === 'write' ? units : 0);
    const reads = one.ReadCapacityUnits ?? (kind === 'read' ? units : 0);
    meter.add(operation, one.TableName ?? '', writes, reads);
  }
}
