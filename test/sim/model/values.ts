// Values of a stored item as the document client has them, and DynamoDB's own notation of them.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export type Value =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly Value[]
  | ReadonlySet<string | number>
  | { readonly [name: string]: Value };
export type Item = Readonly<Record<string, Value>>;
export type Attributes = Record<string, AttributeValue>;

/** Equality as DynamoDB has it: by type and content, sets without order. */
export function isEqual(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => isEqual(one as Value, b[index] as Value));
  }
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((one) => b.has(one));
  if (!isMap(a) || !isMap(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isEqual(a[name], b[name]));
}

function isMap(value: Value | undefined): value is { readonly [name: string]: Value } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Set) &&
    !(value instanceof Uint8Array)
  );
}

/** Throws what the document client would throw on a value no attribute can hold. */
function toAttribute(value: Value | undefined): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number' && Number.isFinite(value)) return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (value === null) return { NULL: true };
  if (value instanceof Uint8Array) return { B: value };
  if (Array.isArray(value)) return { L: (value as Value[]).map(toAttribute) };
  if (value instanceof Set && value.size > 0) {
    const members = [...value] as (string | number)[];
    return members.every((member) => typeof member === 'number')
      ? { NS: members.map(String) }
      : { SS: members.map(String) };
  }
  if (isMap(value)) return { M: toAttributes(value) };
  throw new Error(`${JSON.stringify(value)} is no attribute value`);
}

export function toAttributes(item: Item): Attributes {
  const attributes: Attributes = {};
  for (const name of Object.keys(item)) attributes[name] = toAttribute(item[name]);
  return attributes;
}

export function fromAttribute(attribute: AttributeValue): Value {
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  if (attribute.NULL !== undefined) return null;
  if (attribute.B !== undefined) return attribute.B;
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  if (attribute.SS !== undefined) return new Set(attribute.SS);
  if (attribute.NS !== undefined) return new Set(attribute.NS.map(Number));
  if (attribute.M !== undefined) return fromAttributes(attribute.M);
  throw new Error(`unsupported attribute ${JSON.stringify(attribute)}`);
}

export function fromAttributes(attributes: Readonly<Attributes>): Item {
  const item: Record<string, Value> = {};
  for (const name of Object.keys(attributes)) item[name] = fromAttribute(attributes[name] as AttributeValue);
  return item;
}

/** An item of a request without what the document client leaves out (undefined). */
export function cleaned(item: Readonly<Record<string, Value | undefined>>): Item {
  const clean: Record<string, Value> = {};
  for (const name of Object.keys(item)) {
    const value = item[name];
    if (value === undefined) continue;
    if (value instanceof Set && value.size === 0) throw new Error(`${name} is an empty set`);
    clean[name] = value;
  }
  return clean;
}

/** Bytes of an item as DynamoDB counts them, near enough for its 400 KB bound and capacity units. */
export function sizeOf(item: Item): number {
  let bytes = 0;
  for (const name of Object.keys(item)) bytes += name.length + valueSize(item[name] as Value);
  return bytes;
}

function valueSize(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return 1 + Math.ceil(String(Math.abs(value)).length / 2);
  if (typeof value === 'boolean' || value === null) return 1;
  if (value instanceof Uint8Array) return value.byteLength;
  if (Array.isArray(value))
    return (value as Value[]).reduce<number>((sum, one) => sum + 1 + valueSize(one), 3);
  if (value instanceof Set) return [...value].reduce<number>((sum, one) => sum + valueSize(one as Value), 0);
  return 3 + sizeOf(value as Item);
}
