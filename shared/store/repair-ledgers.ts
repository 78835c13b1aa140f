// Makes the ledgers of a restored table say what the tasks in it hold. For a table nobody else writes to: it reads and
// writes whole rows without conditions.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Holding, rebuildLedger } from '../domain/placement/index.ts';
import { isBorealisError } from '../lib/errors.ts';
import type { Agent, Ledger } from '../model/agent.ts';
import { isOnAgent, type Task } from '../model/task.ts';
import { decodeAgent, decodeLedger, encodeLedger } from './codec/agent-row.ts';
import { plainRow } from './codec/attribute-values.ts';
import { decodeTask } from './codec/task-row.ts';
import { mapLimit } from './flow.ts';
import { agentPrefix, ledgerPrefix, taskPrefix } from './keys.ts';
import { readItems } from './table-dump.ts';

export interface RepairReport {
  readonly agents: number;
  /** Tasks that hold something of an agent. */
  readonly tasksOnAgents: number;
  /** Agents whose ledger was wrong and is right now. */
  readonly repaired: readonly string[];
  /** Tasks on an agent the table does not know; the sweep ends them as lost. */
  readonly homeless: readonly string[];
  /** Agents on which the tasks of the table cannot all have been at one moment; their ledger is as it was. */
  readonly impossible: readonly string[];
}

const writesAtOnce = 8;

/** Audits every ledger and rewrites those that are wrong. INTERNAL if a row cannot be read. */
export async function repairLedgers(client: DynamoDBClient, stateTable: string): Promise<RepairReport> {
  const agents = new Map<string, Agent>();
  const ledgers = new Map<string, Ledger>();
  const onAgent: Task[] = [];
  for await (const item of readItems(client, stateTable)) {
    const row = plainRow(item);
    const [pk, sk] = [String(row.pk), String(row.sk)];
    if (pk.startsWith(taskPrefix)) {
      const task = decodeTask(row);
      if (isOnAgent(task.state) && task.agentId !== undefined) onAgent.push(task);
    } else if (pk.startsWith('AGENTS#') && sk.startsWith(agentPrefix)) {
      const agent = decodeAgent(row);
      agents.set(agent.agentId, agent);
    } else if (pk.startsWith('AGENTS#') && sk.startsWith(ledgerPrefix)) {
      const ledger = decodeLedger(row);
      ledgers.set(ledger.agentId, ledger);
    }
  }
  const byAgent = Map.groupBy(onAgent, ({ agentId }) => agentId ?? '');
  const right: Ledger[] = [];
  const impossible: string[] = [];
  for (const agent of agents.values()) {
    try {
      const ledger = rebuildLedger(agent, ledgers.get(agent.agentId), holdingsOf(byAgent.get(agent.agentId)));
      if (ledger) right.push(ledger);
    } catch (error) {
      // The rows were read one after another while tasks came and went.
      if (!isBorealisError(error, 'INTERNAL')) throw error;
      impossible.push(agent.agentId);
    }
  }
  const documents = DynamoDBDocumentClient.from(client);
  await mapLimit(right, writesAtOnce, (ledger) =>
    documents.send(new PutCommand({ TableName: stateTable, Item: encodeLedger(ledger) })),
  );
  return {
    agents: agents.size,
    tasksOnAgents: onAgent.length,
    repaired: right.map(({ agentId }) => agentId).toSorted(),
    homeless: onAgent.flatMap(({ agentId = '', taskId }) => (agents.has(agentId) ? [] : [taskId])),
    impossible,
  };
}

function holdingsOf(tasks: readonly Task[] = []): Holding[] {
  return tasks.map(({ taskId, resources, grant }) => {
    return { taskId, resources, grant: grant ?? { gpus: [], ports: {} } };
  });
}
