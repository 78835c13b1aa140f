// Atomic write: a job comes to exist, or replaces one whose tasks have all ended.
//
// Preconditions  no job has the key (or the one there is at `replaces.specVersion`); the client token, if given, is new
// Items          1 job row, the token's row, up to 90 task configs. Before it, each by itself: configs beyond 90 or beyond
//                1 MB, which say the same whenever they are written
// Outcomes       created | exists with the job | replayed with the job (same token, same request) | tokenReused
// Retry safety   a repeat after a lost answer finds exactly this job and says created
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { BorealisError } from '../../lib/errors.ts';
import { canonicalJson } from '../../lib/hash.ts';
import type { Job } from '../../model/job.ts';
import { jobPath } from '../../model/job-key.ts';
import { plainRow } from '../codec/attribute-values.ts';
import { decodeJob, encodeConfig, encodeJob, type JsonRow } from '../codec/job-row.ts';
import { type Connection, send } from '../connection.ts';
import { storeError } from '../errors.ts';
import { mapLimit } from '../flow.ts';
import type { CreateJobInput, CreateJobOutcome } from '../port.ts';
import { getJob } from '../read/jobs.ts';
import type { StoredItem } from './conflict.ts';
import { putRow } from './put-row.ts';
import { tokenItem } from './token-item.ts';
import { cancellationReasons, whileBusy } from './while-busy.ts';

const configsInTransaction = 90;
const configBytesInTransaction = 1_000_000;
const putsInFlight = 8;

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** `now`: epoch ms, for the token's life. */
export async function createJob(
  connection: Connection,
  input: CreateJobInput,
  now: number,
): Promise<CreateJobOutcome> {
  const { inside, before } = splitConfigs(input);
  // The job's own row is checked for size before anything is written.
  const job = jobItem(connection, input);
  await mapLimit(before, putsInFlight, (row) => putRow(connection, connection.state, 'createJob', row));
  const items = [
    job,
    ...(input.token ? [tokenItem(connection, input.token, now)] : []),
    ...inside.map((row): TransactItem => ({ Put: { TableName: connection.state, Item: row } })),
  ];
  try {
    const command = () => new TransactWriteCommand({ TransactItems: items });
    await whileBusy('createJob', () => send(connection, 'createJob', 'write', command()));
    return { kind: 'created' };
  } catch (error) {
    const [jobReason, tokenReason] = cancellationReasons('createJob', error);
    if (input.token && tokenReason?.Code === 'ConditionalCheckFailed') {
      return tokenConflict(connection, input, tokenReason.Item);
    }
    if (jobReason?.Code === 'ConditionalCheckFailed') return jobConflict(input, jobReason.Item);
    throw storeError('createJob', error);
  }
}

function jobItem(connection: Connection, { job, replaces }: CreateJobInput): TransactItem {
  return {
    Put: {
      TableName: connection.state,
      Item: encodeJob(job),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      ...(replaces === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : {
            ConditionExpression: '#v = :version',
            ExpressionAttributeNames: { '#v': 'v' },
            ExpressionAttributeValues: { ':version': replaces.specVersion },
          }),
    },
  };
}

function splitConfigs({ job, configs }: CreateJobInput): { inside: JsonRow[]; before: JsonRow[] } {
  const inside: JsonRow[] = [];
  const before: JsonRow[] = [];
  let bytes = 0;
  for (const [configId, config] of configs) {
    const row = encodeConfig(job, configId, config);
    bytes += Buffer.byteLength(row.j);
    const fits = inside.length < configsInTransaction && bytes <= configBytesInTransaction;
    (fits ? inside : before).push(row);
  }
  return { inside, before };
}

async function tokenConflict(
  connection: Connection,
  { job, token }: CreateJobInput,
  item: StoredItem,
): Promise<CreateJobOutcome> {
  const stored = item === undefined ? {} : plainRow(item);
  if (stored.h !== token?.requestHash) return { kind: 'tokenReused' };
  const existing = await getJob(connection, job);
  if (existing) return { kind: 'replayed', job: existing };
  throw new BorealisError(
    'INTERNAL',
    `the client token of job ${jobPath(job)} is taken but the job is gone; nothing was changed. Use a new token.`,
  );
}

function jobConflict(input: CreateJobInput, item: StoredItem): CreateJobOutcome {
  if (item === undefined || Object.keys(item).length === 0) {
    throw new BorealisError('CONFLICT', `job ${jobPath(input.job)} to replace is gone; nothing was changed`);
  }
  const stored: Job = decodeJob(plainRow(item));
  return canonicalJson(stored) === canonicalJson(input.job)
    ? { kind: 'created' }
    : { kind: 'exists', job: stored };
}
