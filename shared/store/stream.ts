// What a record of the state table's stream says, in the words of the domain.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { decodeAgent, decodeLedger } from './codec/agent-row.ts';
import { plainRow } from './codec/attribute-values.ts';
import { decodeJob } from './codec/job-row.ts';
import { numberOf, type Row } from './codec/row.ts';
import { decodeTask } from './codec/task-row.ts';
import { decodeUpdateHead, isUpdateHead } from './codec/update-row.ts';
import { agentPrefix, ledgerPrefix, probePrefix, taskPrefix } from './keys.ts';
import type { StreamChange } from './port.ts';

/** The part of Lambda's DynamoDBRecord that is read here; its images are in DynamoDB's own notation. */
export interface StreamRecord {
  readonly dynamodb?:
    | {
        readonly Keys?: object | undefined;
        readonly NewImage?: object | undefined;
        readonly OldImage?: object | undefined;
      }
    | undefined;
}

/** INTERNAL if a task, job, agent, ledger, update or probe can't be read; rows of other kinds are `other`. */
export function decodeStreamRecord(record: StreamRecord): StreamChange {
  const before = imageOf(record.dynamodb?.OldImage);
  const after = imageOf(record.dynamodb?.NewImage);
  const row = after ?? before;
  const { pk, sk } = (row ?? {}) as { readonly pk?: string; readonly sk?: string };
  if (pk === undefined || sk === undefined) return { kind: 'other' };
  if (pk.startsWith(taskPrefix)) return { kind: 'task', ...both(before, after, decodeTask) };
  if (pk.startsWith('ROLE#')) return { kind: 'job', ...both(before, after, decodeJob) };
  if (pk.startsWith('AGENTS#') && sk.startsWith(agentPrefix)) {
    return { kind: 'agent', ...both(before, after, decodeAgent) };
  }
  if (pk.startsWith('AGENTS#') && sk.startsWith(ledgerPrefix)) {
    return { kind: 'ledger', ...both(before, after, decodeLedger) };
  }
  if (isUpdateHead(pk, sk)) return { kind: 'update', ...both(before, after, decodeUpdateHead) };
  if (pk.startsWith(probePrefix) && after) return { kind: 'probe', sentAt: numberOf(after, 'at', 'probe') };
  return { kind: 'other' };
}

function imageOf(image: object | undefined): Row | undefined {
  return image && plainRow(image as Record<string, AttributeValue>);
}

function both<T>(
  before: Row | undefined,
  after: Row | undefined,
  decode: (row: Row) => T,
): { readonly before?: T; readonly after?: T } {
  return { ...(before && { before: decode(before) }), ...(after && { after: decode(after) }) };
}
