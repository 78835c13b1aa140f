// Rows in DynamoDB's own notation, as the stream and the items inside errors have them, to the shape that the document
// client gives. Only the types that rows of this store use.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Row } from './row.ts';

export function plainRow(item: Readonly<Record<string, AttributeValue>>): Row {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(item)) row[name] = plainValue(value);
  return row;
}

function plainValue(value: AttributeValue): unknown {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.L !== undefined) return value.L.map(plainValue);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.SS !== undefined) return new Set(value.SS);
  if (value.NS !== undefined) return new Set(value.NS.map(Number));
  // A type this store never writes: whoever needs the value finds it to be none of what it takes, nobody else minds.
  return value;
}
