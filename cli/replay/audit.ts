// Is any agent over-committed? Counted anew from every task the store has (over the API), against what each agent said
// it has; the agent's own free amounts are compared with that count.
import type { AgentView, TaskView } from '../../shared/api/views.ts';
import { auditLedger, type LedgerViolation } from '../../shared/domain/placement/audit.ts';
import type { Ledger } from '../../shared/model/agent.ts';
import { liveId } from '../../shared/model/job-key.ts';
import { isOnAgent } from '../../shared/model/task.ts';

export interface Audit {
  /** Agents that have given out more than they have, or the same card or port twice. */
  readonly overCommitted: readonly string[];
  /** Agents whose stored free amounts or list of tasks differ from the count, without being over-committed. */
  readonly mismatched: readonly string[];
  /** Every difference in words. */
  readonly findings: readonly string[];
  /** Tasks that hold resources. */
  readonly tasksCounted: number;
}

/** Counts the tasks on agents (ASSIGNED to KILLING) against the agents' capacities. */
export function auditFleet(agents: readonly AgentView[], tasks: Iterable<TaskView>): Audit {
  const byAgent = new Map<string, TaskView[]>();
  let tasksCounted = 0;
  for (const task of tasks) {
    if (!isOnAgent(task.state) || task.agentId === null) continue;
    tasksCounted += 1;
    const list = byAgent.get(task.agentId);
    if (list) list.push(task);
    else byAgent.set(task.agentId, [task]);
  }
  const violations = agents.flatMap((agent) => {
    const holdings = byAgent.get(agent.agentId) ?? [];
    byAgent.delete(agent.agentId);
    return auditAgent(agent, holdings);
  });
  const over = new Set(violations.filter(({ code }) => isOverCommit(code)).map(({ agentId }) => agentId));
  const other = new Set(violations.map(({ agentId }) => agentId).filter((agentId) => !over.has(agentId)));
  // Tasks on an agent that doesn't exist hold what nobody has.
  const unknown = [...byAgent].map(
    ([agentId, list]) => `${agentId}: not registered, yet has ${list.length} tasks`,
  );
  return {
    overCommitted: [...over, ...byAgent.keys()],
    mismatched: [...other],
    findings: [...violations.map(inWords), ...unknown],
    tasksCounted,
  };
}

function auditAgent(agent: AgentView, tasks: readonly TaskView[]): readonly LedgerViolation[] {
  const holdings = tasks.map(({ taskId, resources, grant }) => {
    return { taskId: liveId(taskId), resources, grant: grant ?? { gpus: [], ports: {} } };
  });
  const { capacity, free } = agent;
  const ledger: Ledger = {
    agentId: agent.agentId,
    version: 1,
    freeCpuMilli: free.cpuMilli,
    freeRamMb: free.ramMb,
    freeDiskMb: free.diskMb,
    gpus: free.gpuMilli.map((freeMilli, device) => ({ model: capacity.gpus[device] ?? '', freeMilli })),
    // The API doesn't list the ports a ledger has taken; double use among the tasks is found all the same.
    usedPorts: [...new Set(holdings.flatMap(({ grant }) => Object.values(grant.ports)))],
    live: agent.tasks.map(liveId),
  };
  return auditLedger(capacity, ledger, holdings);
}

function isOverCommit(code: LedgerViolation['code']): boolean {
  switch (code) {
    case 'OVER_COMMIT':
    case 'GPU_DOUBLE_USE':
    case 'BAD_GRANT':
    case 'PORT_DOUBLE_USE':
    case 'PORT_OUT_OF_RANGE':
      return true;
    case 'LEAKED':
    case 'UNCOUNTED':
    case 'LIVE_WITHOUT_TASK':
    case 'TASK_NOT_LIVE':
      return false;
  }
}

function inWords({ agentId, code, what, expected, found }: LedgerViolation): string {
  const numbers = expected === undefined ? '' : ` (expected ${expected}, found ${found ?? 'nothing'})`;
  return `${agentId}: ${code} ${what}${numbers}`;
}
