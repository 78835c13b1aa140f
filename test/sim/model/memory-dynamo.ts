// A model of DynamoDB: the requests that shared/store sends, with the answers and errors of the real one, on items in
// memory. Each request is one synchronous step. The store contract runs on it (test/contract/model.test.ts) as it runs on
// the embedded engine.
import {
  ConditionalCheckFailedException,
  ResourceInUseException,
  ResourceNotFoundException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import type { TableDefinition } from '../../../shared/store/tables.ts';
import { applyUpdate, compileCondition, type Scope } from './expressions.ts';
import { parseStatement, type Statement } from './partiql.ts';
import { Table } from './table.ts';
import { type Attributes, cleaned, type Item, isEqual, sizeOf, toAttributes, type Value } from './values.ts';

/** A request or answer; fields are those of the document client. */
// biome-ignore lint/suspicious/noExplicitAny: twelve request shapes, each read field by field
type Shape = any;

/** One committed change of an item, as the stream tells it. */
export interface ItemChange {
  readonly table: string;
  readonly pk: string;
  readonly sk: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
  /** The store itself removed it, for its time had come. */
  readonly isExpiry?: boolean;
}

export interface StreamEntry {
  readonly sequenceNumber: string;
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  readonly pk: string;
  readonly dynamodb: {
    readonly Keys: Attributes;
    readonly NewImage?: Attributes;
    readonly OldImage?: Attributes;
    readonly SequenceNumber: string;
    /** Whole seconds. */
    readonly ApproximateCreationDateTime: number;
  };
}

export interface MemoryDynamoOptions {
  readonly now: () => number;
  readonly indexLagMs?: (index: string) => number;
  /** Items one page of a query may look at; DynamoDB's own bound is 1 MB. */
  readonly pageItems?: () => number;
  /** Sees what one request committed, all at once, and the stream entries of it. */
  readonly onCommit?: (changes: readonly ItemChange[], entries: readonly StreamEntry[]) => void;
}

const maxItemBytes = 400 * 1024;
const maxTransactItems = 100;
const pageBytes = 1024 * 1024;

export class MemoryDynamo {
  readonly #tables = new Map<string, Table>();
  readonly #options: MemoryDynamoOptions;
  readonly #tokens = new Map<string, Shape>();
  #sequence = 0;

  constructor(options: MemoryDynamoOptions) {
    this.#options = options;
  }

  createTable(name: string, definition: TableDefinition): void {
    if (this.#tables.has(name)) throw new ResourceInUseException({ message: name, $metadata: {} });
    const { now, indexLagMs = () => 0 } = this.#options;
    this.#tables.set(name, new Table(definition, { now, lagMs: indexLagMs }));
  }

  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table) return table;
    throw new ResourceNotFoundException({
      message: `Requested resource not found: Table: ${name} not found`,
      $metadata: { httpStatusCode: 400 },
    });
  }

  /** Carries out one request; `operation` is the command's name without `Command`. */
  execute(operation: string, input: Shape): Shape {
    switch (operation) {
      case 'Get':
      case 'GetItem':
        return this.#get(input);
      case 'Put':
      case 'PutItem':
      case 'Update':
      case 'UpdateItem':
      case 'Delete':
      case 'DeleteItem':
        return this.#writeOne(operation, input);
      case 'Query':
        return this.#query(input);
      case 'Scan':
        return this.#scan(input);
      case 'BatchGet':
      case 'BatchGetItem':
        return this.#batchGet(input);
      case 'BatchWrite':
      case 'BatchWriteItem':
        return this.#batchWrite(input);
      case 'TransactWrite':
      case 'TransactWriteItems':
        return this.#transact(input);
      case 'BatchExecuteStatement':
        return this.#statements(input);
      default:
        throw validation(`${operation} is not modelled`);
    }
  }

  /** Removes an item whose time to live is over, as the store does by itself; false if it has more time, or is gone. */
  expire(name: string, pk: string, sk: string): boolean {
    const table = this.table(name);
    const before = table.get(pk, sk);
    const expiresAt = before?.[table.definition.ttlAttribute];
    if (typeof expiresAt !== 'number' || expiresAt * 1000 > this.#options.now()) return false;
    this.#commit([{ tableName: name, table, pk, sk, before, after: undefined }], { isExpiry: true });
    return true;
  }

  #get({ TableName, Key }: Shape): Shape {
    const item = this.table(TableName).get(Key.pk, Key.sk);
    return item === undefined ? {} : { Item: { ...item } };
  }

  #writeOne(operation: string, input: Shape): Shape {
    const kind = operation.replace('Item', '') as 'Put' | 'Update' | 'Delete';
    const planned = this.#plan({ [kind]: input });
    if (!planned.holds) throw conditionFailed(planned);
    this.#commit([planned]);
    return this.#capacity([planned], 1, input)[0] ?? {};
  }

  /** Looks at one write without doing it. */
  #plan(entry: Shape): Planned {
    const [kind, input] = Object.entries(entry)[0] as [string, Shape];
    const table = this.table(input.TableName);
    const { pk, sk } = kind === 'Put' ? input.Item : input.Key;
    if (typeof pk !== 'string' || typeof sk !== 'string') throw validation('the key is not two strings');
    const before = table.get(pk, sk);
    const scope: Scope = {
      item: before ?? {},
      names: input.ExpressionAttributeNames ?? {},
      values: input.ExpressionAttributeValues ?? {},
    };
    const holds = compileConditionOf(input.ConditionExpression)(scope);
    const after = holds ? afterOf(kind, input, { pk, sk }, before, scope) : undefined;
    if (after && sizeOf(after) > maxItemBytes)
      throw validation('Item size has exceeded the maximum allowed size');
    const wantsOld = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
    return { tableName: input.TableName, table, pk, sk, before, after, holds, wantsOld };
  }

  #commit(plans: readonly Changed[], by: Pick<ItemChange, 'isExpiry'> = {}): void {
    const changes: ItemChange[] = [];
    const entries: StreamEntry[] = [];
    for (const { tableName, table, pk, sk, before, after } of plans) {
      if (before === after || (before && after && isEqual(before, after))) continue;
      table.put(pk, sk, after);
      changes.push({ table: tableName, pk, sk, before, after, ...by });
      if (table.definition.stream) entries.push(this.#streamEntry({ pk, sk, before, after }));
    }
    if (changes.length > 0) this.#options.onCommit?.(changes, entries);
  }

  #streamEntry({ pk, sk, before, after }: Pick<ItemChange, 'pk' | 'sk' | 'before' | 'after'>): StreamEntry {
    const sequenceNumber = String(++this.#sequence).padStart(21, '0');
    return {
      sequenceNumber,
      eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
      pk,
      dynamodb: {
        Keys: { pk: { S: pk }, sk: { S: sk } },
        ...(after && { NewImage: toAttributes(after) }),
        ...(before && { OldImage: toAttributes(before) }),
        SequenceNumber: sequenceNumber,
        ApproximateCreationDateTime: Math.floor(this.#options.now() / 1000),
      },
    };
  }

  #capacity(plans: readonly Planned[], factor: number, input: Shape): Shape[] {
    if (input.ReturnConsumedCapacity === undefined) return [];
    const units = new Map<string, number>();
    for (const { tableName, table, before, after } of plans) {
      units.set(tableName, (units.get(tableName) ?? 0) + table.writeUnits(before, after, factor));
    }
    return [...units].map(([TableName, CapacityUnits]) => ({
      ConsumedCapacity: { TableName, CapacityUnits },
    }));
  }

  #query(input: Shape): Shape {
    const table = this.table(input.TableName);
    const names = input.ExpressionAttributeNames ?? {};
    const values = input.ExpressionAttributeValues ?? {};
    const passes = compileConditionOf(input.FilterExpression);
    const key = partitionKeyOf(input.KeyConditionExpression, names, values, table, input.IndexName);
    const page = this.#page(input, table.partition(key, input.IndexName));
    const last = page.isCut ? page.items.at(-1) : undefined;
    const found = page.items.filter((item) => passes({ item, names, values }));
    return {
      Count: found.length,
      ScannedCount: page.items.length,
      ...(input.Select !== 'COUNT' && { Items: found.map((item) => ({ ...item })) }),
      ...(last && { LastEvaluatedKey: keysOf(last, table, input.IndexName) }),
      ...(input.ReturnConsumedCapacity && {
        ConsumedCapacity: { TableName: input.TableName, CapacityUnits: Math.max(0.5, page.bytes / 8192) },
      }),
    };
  }

  /** The items one request looks at: from where it is told to start to its limit, or to a page's. */
  #page(input: Shape, { entries, orderOf }: ReturnType<Table['partition']>): Page {
    const names = input.ExpressionAttributeNames ?? {};
    const values = input.ExpressionAttributeValues ?? {};
    const inKey = compileCondition(input.KeyConditionExpression);
    const after = input.ExclusiveStartKey && orderOf(input.ExclusiveStartKey);
    const most = Math.min(input.Limit ?? Number.POSITIVE_INFINITY, this.#options.pageItems?.() ?? 1e9);
    const isDown = input.ScanIndexForward === false;
    const items: Item[] = [];
    let bytes = 0;
    const isFull = () => items.length >= most || bytes > pageBytes;
    for (const { order, item } of isDown ? entries.toReversed() : entries) {
      if (after !== undefined && (isDown ? order >= after : order <= after)) continue;
      if (!inKey({ item, names, values })) continue;
      if (isFull()) break;
      bytes += sizeOf(item);
      items.push(item);
    }
    return { items, bytes, isCut: isFull() };
  }

  #scan(input: Shape): Shape {
    const passes = compileConditionOf(input.FilterExpression);
    const names = input.ExpressionAttributeNames ?? {};
    const values = input.ExpressionAttributeValues ?? {};
    const items = [...this.table(input.TableName).scan(input.IndexName)];
    const found = items.filter((item) => passes({ item, names, values }));
    return { Count: found.length, ScannedCount: items.length, Items: found.map((item) => ({ ...item })) };
  }

  #batchGet({ RequestItems }: Shape): Shape {
    const Responses: Record<string, Item[]> = {};
    for (const [name, { Keys }] of Object.entries(RequestItems as Record<string, Shape>)) {
      if (Keys.length > 100) throw validation('more than 100 keys');
      const distinct = new Set((Keys as Shape[]).map(({ pk, sk }) => `${pk}\u0000${sk}`));
      if (distinct.size < Keys.length) throw validation('Provided list of item keys contains duplicates');
      const table = this.table(name);
      Responses[name] = (Keys as Shape[]).flatMap(({ pk, sk }) => {
        const item = table.get(pk, sk);
        return item ? [{ ...item }] : [];
      });
    }
    return { Responses, UnprocessedKeys: {} };
  }

  #batchWrite(input: Shape): Shape {
    const plans = Object.entries(input.RequestItems as Record<string, Shape[]>).flatMap(
      ([TableName, requests]) => {
        if (requests.length > 25) throw validation('more than 25 requests');
        return requests.map(({ PutRequest, DeleteRequest }) =>
          this.#plan(
            PutRequest
              ? { Put: { TableName, Item: PutRequest.Item } }
              : { Delete: { TableName, Key: DeleteRequest.Key } },
          ),
        );
      },
    );
    this.#commit(plans);
    const consumed = this.#capacity(plans, 1, input).map(({ ConsumedCapacity }) => ConsumedCapacity as Shape);
    return { UnprocessedItems: {}, ...(consumed.length > 0 && { ConsumedCapacity: consumed }) };
  }

  #transact(input: Shape): Shape {
    const items = input.TransactItems as Shape[];
    if (items.length === 0 || items.length > maxTransactItems) throw validation('1 to 100 items');
    const token = input.ClientRequestToken as string | undefined;
    if (token !== undefined && this.#tokens.has(token)) return this.#tokens.get(token);
    const plans = items.map((item) => this.#plan(item));
    if (new Set(plans.map(({ tableName, pk, sk }) => `${tableName} ${pk} ${sk}`)).size < plans.length) {
      throw validation('Transaction request cannot include multiple operations on one item');
    }
    if (plans.some(({ holds }) => !holds)) throw cancelled(plans);
    this.#commit(plans);
    const consumed = this.#capacity(plans, 2, input).map(({ ConsumedCapacity }) => ConsumedCapacity as Shape);
    const output = consumed.length > 0 ? { ConsumedCapacity: consumed } : {};
    if (token !== undefined) this.#tokens.set(token, output);
    return output;
  }

  #statements(input: Shape): Shape {
    const requests = input.Statements as Shape[];
    if (requests.length > 25) throw validation('more than 25 statements');
    const done: Planned[] = [];
    const Responses = requests.map(({ Statement, Parameters = [] }): Shape => {
      const planned = this.#planStatement(parseStatement(Statement, Parameters));
      if (typeof planned === 'string') {
        return { Error: { Code: planned, Message: planned }, TableName: input.TableName };
      }
      this.#commit([planned]);
      done.push(planned);
      return { TableName: planned.tableName };
    });
    const consumed = this.#capacity(done, 1, input).map(({ ConsumedCapacity }) => ConsumedCapacity as Shape);
    return { Responses, ...(consumed.length > 0 && { ConsumedCapacity: consumed }) };
  }

  #planStatement(statement: Statement): Planned | string {
    const table = this.table(statement.table);
    const { pk, sk } = (statement.kind === 'insert' ? statement.item : statement.key) as {
      pk: string;
      sk: string;
    };
    const before = table.get(pk, sk);
    const plan = { tableName: statement.table, table, pk, sk, before, holds: true, wantsOld: false };
    if (statement.kind === 'insert') {
      return before ? 'DuplicateItem' : { ...plan, after: cleaned(statement.item) };
    }
    if (!before || !statement.where.every(([name, value]) => isEqual(before[name], value))) {
      return 'ConditionalCheckFailed';
    }
    const after: Record<string, Value> = { ...before, ...Object.fromEntries(statement.set) };
    for (const name of statement.remove) delete after[name];
    return { ...plan, after };
  }
}

interface Page {
  readonly items: readonly Item[];
  readonly bytes: number;
  /** There may be more behind it. */
  readonly isCut: boolean;
}

interface Changed {
  readonly tableName: string;
  readonly table: Table;
  readonly pk: string;
  readonly sk: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

interface Planned extends Changed {
  readonly holds: boolean;
  readonly wantsOld: boolean;
}

function afterOf(
  kind: string,
  input: Shape,
  key: { pk: string; sk: string },
  before: Item | undefined,
  scope: Scope,
): Item | undefined {
  if (kind === 'Put') return cleaned(input.Item);
  if (kind === 'Delete') return undefined;
  if (kind === 'ConditionCheck') return before;
  return applyUpdate(input.UpdateExpression, { ...scope, item: before ?? key });
}

function compileConditionOf(text: string | undefined) {
  return text === undefined ? () => true : compileCondition(text);
}

/** The value the key condition compares the partition key with. */
function partitionKeyOf(
  text: string,
  names: Readonly<Record<string, string>>,
  values: Readonly<Record<string, Value>>,
  table: Table,
  indexName: string | undefined,
): string {
  const wanted = indexName === undefined ? 'pk' : table.index(indexName).definition.partitionKey;
  for (const match of text.matchAll(/(#?\w+) = (:\w+)/g)) {
    const name = match[1] as string;
    if ((names[name] ?? name) === wanted) return values[match[2] as string] as string;
  }
  throw validation(`Query condition missed key schema element: ${wanted}`);
}

function keysOf(item: Item, table: Table, indexName: string | undefined): Item {
  const { pk, sk } = item as { pk: string; sk: string };
  if (indexName === undefined) return { pk, sk };
  const { partitionKey, sortKey } = table.index(indexName).definition;
  return { pk, sk, [partitionKey]: item[partitionKey] as Value, [sortKey]: item[sortKey] as Value };
}

function conditionFailed(planned: Planned): Error {
  return new ConditionalCheckFailedException({
    message: 'The conditional request failed',
    $metadata: { httpStatusCode: 400 },
    ...(planned.wantsOld && planned.before && { Item: toAttributes(planned.before) }),
  });
}

function cancelled(plans: readonly Planned[]): Error {
  return new TransactionCanceledException({
    message: 'Transaction cancelled, please refer cancellation reasons for specific reasons',
    $metadata: { httpStatusCode: 400 },
    CancellationReasons: plans.map(({ holds, wantsOld, before }) =>
      holds
        ? { Code: 'None' }
        : {
            Code: 'ConditionalCheckFailed',
            Message: 'The conditional request failed',
            ...(wantsOld && before && { Item: toAttributes(before) }),
          },
    ),
  });
}

function validation(message: string): Error {
  return Object.assign(new Error(message), {
    name: 'ValidationException',
    $metadata: { httpStatusCode: 400 },
  });
}
