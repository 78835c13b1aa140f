// Which rights on the tables each store method uses, recorded from the requests it sends: the IAM action, and the table
// or index it goes to, as IAM sees them.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Store } from '../../shared/store/port.ts';
import type { StoreUnderTest } from './engines.ts';

/** `state GetItem`, `pending Query`: the table, or an index of the state table, and the action without `dynamodb:`. */
export type RecordedRights = Map<keyof Store, Set<string>>;

/** The same tables, with every request of every store made from it written down by store method. */
export function recording(subject: StoreUnderTest, rights: RecordedRights): StoreUnderTest {
  const method = new AsyncLocalStorage<keyof Store>();
  subject.client.middlewareStack.add(
    (next, context) => async (args) => {
      const name = method.getStore();
      const used = name === undefined ? undefined : rights.get(name);
      if (used) for (const right of rightsOf(context.commandName ?? '', args.input, subject)) used.add(right);
      return next(args);
    },
    { step: 'initialize', name: 'recordRights' },
  );
  return {
    ...subject,
    store: (options) =>
      new Proxy(subject.store(options), {
        get: (store, name: keyof Store) => {
          if (!rights.has(name)) rights.set(name, new Set());
          return (...args: unknown[]) =>
            method.run(name, () => (store[name] as (...args: unknown[]) => unknown)(...args));
        },
      }),
  };
}

interface Tables {
  readonly stateTable: string;
  readonly notesTable: string;
}
type Request = Readonly<Record<string, unknown>>;

function rightsOf(commandName: string, input: unknown, tables: Tables): string[] {
  const request = input as Request;
  const command = commandName.replace(/Command$/, '');
  const label = (table: unknown, index?: unknown): string => {
    if (typeof index === 'string') return index;
    if (table === tables.stateTable) return 'state';
    return table === tables.notesTable ? 'notes' : `unknown table ${JSON.stringify(table)}`;
  };
  switch (command) {
    case 'BatchGetItem':
    case 'BatchWriteItem':
      return Object.keys(request.RequestItems as Request).map((table) => `${label(table)} ${command}`);
    case 'TransactWriteItems':
    case 'TransactGetItems':
      return (request.TransactItems as Record<string, Request>[]).flatMap((item) =>
        Object.entries(item).map(([kind, { TableName }]) => `${label(TableName)} ${transacted[kind]}`),
      );
    case 'BatchExecuteStatement':
      return (request.Statements as Request[]).map(({ Statement }) =>
        statementRight(String(Statement), label),
      );
    case 'ExecuteTransaction':
      return (request.TransactStatements as Request[]).map(({ Statement }) =>
        statementRight(String(Statement), label),
      );
    case 'ExecuteStatement':
      return [statementRight(String(request.Statement), label)];
    default:
      return [`${label(request.TableName, request.IndexName)} ${command}`];
  }
}

/** IAM judges a transaction by its items. */
const transacted: Readonly<Record<string, string>> = {
  Get: 'GetItem',
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
};

function statementRight(statement: string, label: (table: unknown, index?: unknown) => string): string {
  const match = /^\s*(INSERT INTO|UPDATE|DELETE FROM|SELECT .*? FROM)\s+"([^"]+)"(?:\."([^"]+)")?/is.exec(
    statement,
  );
  const verb = match?.[1]?.split(' ')[0]?.toLowerCase() ?? '';
  const actions: Readonly<Record<string, string>> = {
    insert: 'PartiQLInsert',
    update: 'PartiQLUpdate',
    delete: 'PartiQLDelete',
    select: 'PartiQLSelect',
  };
  return `${label(match?.[2], match?.[3])} ${actions[verb] ?? `unknown statement ${statement}`}`;
}
