// Atomic write: one agent is given tasks (design D3).
//
// Preconditions  the agent's ledger is at the version the plan was made from; every task is the same one and PENDING
// Items          1 ledger row, 1 to 99 task rows
// Outcomes       committed | ledgerConflict (moved on, or somebody else is writing one of these rows right now)
//                | taskConflict with the tasks that are no longer PENDING
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

const maxTasks = 99;

export async function assignTasks(connection: Connection, input: AssignInput): Promise<AssignOutcome> {
  if (input.tasks.length === 0 || input.tasks.length > maxTasks) {
    throw new BorealisError(
      'INTERNAL',
      `one assignment takes 1 to ${maxTasks} tasks, got ${input.tasks.length} for agent ${input.agentId}; nothing was changed`,
    );
  }
  const items = [
    ledgerItem(connection, input),
    ...input.tasks.map((task) => taskItem(connection, input, task)),
  ];
  try {
    await send(connection, 'assign', 'write', new TransactWriteCommand({ TransactItems: items }));
    return { kind: 'committed' };
  } catch (error) {
    const codes = cancellationReasons('assign', error).map(({ Code }) => Code);
    const taskIds = input.tasks
      .filter((_task, index) => codes[index + 1] === 'ConditionalCheckFailed')
      .map(({ row }) => row.taskId);
    const ledgerMoved = codes[0] === 'ConditionalCheckFailed' || taskIds.length === 0;
    return ledgerMoved ? { kind: 'ledgerConflict' } : { kind: 'taskConflict', taskIds };
  }
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
  const { agentId, deadlineAt, now } = input;
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
            ...dueKeysOf(row.taskId, deadlineAt),
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
