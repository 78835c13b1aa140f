// Atomic write: agents are given tasks (design D3; several agents in one transaction: ADR 0007).
//
// Preconditions  each agent's ledger is at the version the plan was made from; every task is the same one and PENDING
// Items          1 ledger row and 1 to 99 task rows for each agent, 100 in all
// Outcomes       for each agent: committed | ledgerConflict (moved on, or somebody else is writing one of these rows
//                right now) | taskConflict with the tasks that are no longer PENDING | held (nothing stands against it,
//                another agent of the same transaction was refused). All are committed or none is
// Retry safety   the SDK's own repeats carry one client request token; a later repeat finds the ledger moved on
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { BorealisError } from '../../lib/errors.ts';
import { ledgerAttributes } from '../codec/agent-row.ts';
import { encodeEvent, encodeGrant } from '../codec/task-row.ts';
import { type Connection, send } from '../connection.ts';
import { type Condition, renderUpdate } from '../expression.ts';
import { dueKeysOf, ledgerKeyOf, taskKeyOf } from '../keys.ts';
import type { AssignInput, AssignOutcome } from '../port.ts';
import { stillInState } from '../task-update.ts';
import { cancellationReasons } from './while-busy.ts';

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const maxItems = 100;

/** One outcome per input, in order. Throws INTERNAL for what no transaction takes, THROTTLED, UNAVAILABLE. */
export async function assignTasks(
  connection: Connection,
  inputs: readonly AssignInput[],
): Promise<AssignOutcome[]> {
  const itemCount = inputs.reduce((sum, { tasks }) => sum + 1 + tasks.length, 0);
  if (itemCount > maxItems || inputs.length === 0 || inputs.some(({ tasks }) => tasks.length === 0)) {
    throw new BorealisError(
      'INTERNAL',
      `one assignment takes at least a task for each agent and ${maxItems} rows in all, got ${itemCount} for agents ${agentsOf(inputs)}; nothing was changed`,
    );
  }
  const items = inputs.flatMap((input) => [
    ledgerItem(connection, input),
    ...input.tasks.map((task) => taskItem(connection, input, task)),
  ]);
  try {
    await send(connection, 'assign', 'write', new TransactWriteCommand({ TransactItems: items }));
    return inputs.map(() => ({ kind: 'committed' }));
  } catch (error) {
    const codes = cancellationReasons('assign', error).map(({ Code }) => Code ?? 'None');
    return outcomesOf(inputs, codes);
  }
}

function agentsOf(inputs: readonly AssignInput[]): string {
  return inputs
    .slice(0, 3)
    .map(({ agentId }) => agentId)
    .join(', ');
}

/** Reads each agent's part of the reasons, which come in the order of the items. */
function outcomesOf(inputs: readonly AssignInput[], codes: readonly string[]): AssignOutcome[] {
  let position = 0;
  return inputs.map((input): AssignOutcome => {
    const [ledgerCode, ...taskCodes] = codes.slice(position, position + 1 + input.tasks.length);
    position += 1 + input.tasks.length;
    const taskIds = input.tasks
      .filter((_task, index) => taskCodes[index] === 'ConditionalCheckFailed')
      .map(({ row }) => row.taskId);
    if (ledgerCode === 'ConditionalCheckFailed') return { kind: 'ledgerConflict' };
    if (taskIds.length > 0) return { kind: 'taskConflict', taskIds };
    const isBusy = [ledgerCode, ...taskCodes].some((code) => code !== undefined && code !== 'None');
    return isBusy || inputs.length === 1 ? { kind: 'ledgerConflict' } : { kind: 'held' };
  });
}

function ledgerAtVersion(version: number): Condition {
  return { text: '#v = :version', names: { '#v': 'v' }, values: { ':version': version } };
}

function ledgerItem(connection: Connection, input: AssignInput): TransactItem {
  const attributes = ledgerAttributes(input.after);
  const remove = ['g', 'm', 'p', 'l'].filter((name) => !(name in attributes));
  return {
    Update: {
      TableName: connection.state,
      Key: ledgerKeyOf(input.agentId),
      ...renderUpdate({ set: attributes, remove }, [ledgerAtVersion(input.ledgerVersion)]),
    },
  };
}

function taskItem(
  connection: Connection,
  input: AssignInput,
  task: AssignInput['tasks'][number],
): TransactItem {
  const { row, grant } = task;
  const { agentId, deadlineAt, lookAt = deadlineAt, now } = input;
  const stored = encodeGrant({ grant, agentId });
  const { role, environment, name } = row.key;
  return {
    Update: {
      TableName: connection.state,
      Key: taskKeyOf({ role, environment, name, instance: row.instance, generation: row.generation }),
      ...renderUpdate(
        {
          set: {
            s: 'ASSIGNED',
            ag: agentId,
            dl: deadlineAt,
            ...dueKeysOf(row.taskId, lookAt),
            ...(stored !== undefined && { g: stored }),
          },
          append: { e: [encodeEvent({ state: 'ASSIGNED', at: now })] },
          remove: ['gp', 'gs'],
        },
        [stillInState(row.taskId, 'PENDING')],
      ),
    },
  };
}
