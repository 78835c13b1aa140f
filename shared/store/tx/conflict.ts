// A failed condition as data: the row that stood in the way.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { plainRow } from '../codec/attribute-values.ts';
import { decodeTask } from '../codec/task-row.ts';
import type { TransitionOutcome } from '../port.ts';

export type StoredItem = Record<string, AttributeValue> | undefined;

/** The document client leaves the items inside errors as they came. */
export function conflictWith(item: StoredItem): TransitionOutcome & { readonly kind: 'conflict' } {
  return item === undefined || Object.keys(item).length === 0
    ? { kind: 'conflict' }
    : { kind: 'conflict', current: decodeTask(plainRow(item)) };
}
