// Was any agent over-committed at any time? From every task's events: what each agent had given out between every two
// events, against its capacity. For replays in which tasks end, where no single moment shows all.
import type { AgentView, TaskView } from '../../shared/api/views.ts';
import { isTerminal } from '../../shared/model/task.ts';
import type { Audit } from './audit.ts';

interface Change {
  readonly at: number;
  /** 1 takes, -1 gives back. */
  readonly sign: 1 | -1;
  readonly task: TaskView;
}

/** Walks every agent's takes and releases in time order; a release comes before a take of the same millisecond. */
export function auditHistory(agents: readonly AgentView[], tasks: Iterable<TaskView>): Audit {
  const byAgent = new Map<string, Change[]>();
  let tasksCounted = 0;
  for (const task of tasks) {
    const assigned = task.events.find(({ state }) => state === 'ASSIGNED');
    if (!assigned || task.agentId === null) continue;
    tasksCounted += 1;
    const changes = byAgent.get(task.agentId) ?? [];
    byAgent.set(task.agentId, changes);
    changes.push({ at: Date.parse(assigned.at), sign: 1, task });
    const last = task.events.at(-1);
    if (last && isTerminal(last.state)) changes.push({ at: Date.parse(last.at), sign: -1, task });
  }
  const findings = agents.flatMap((agent) => {
    const changes = byAgent.get(agent.agentId) ?? [];
    byAgent.delete(agent.agentId);
    const problem = firstExcess(agent, changes);
    return problem === undefined ? [] : [{ agentId: agent.agentId, problem }];
  });
  for (const [agentId, changes] of byAgent) {
    findings.push({ agentId, problem: `not registered, yet had ${changes.length} changes` });
  }
  return {
    overCommitted: findings.map(({ agentId }) => agentId),
    mismatched: [],
    findings: findings.map(({ agentId, problem }) => `${agentId}: ${problem}`),
    tasksCounted,
  };
}

/** What was first given out beyond what there is. */
function firstExcess({ capacity }: AgentView, changes: readonly Change[]): string | undefined {
  const used = { cpuMilli: 0, ramMb: 0, diskMb: 0 };
  const cards = capacity.gpus.map(() => 0);
  for (const { at, sign, task } of changes.toSorted((a, b) => a.at - b.at || a.sign - b.sign)) {
    const { resources, grant } = task;
    const when = new Date(at).toISOString();
    for (const name of ['cpuMilli', 'ramMb', 'diskMb'] as const) {
      used[name] += sign * resources[name];
      if (used[name] > capacity[name])
        return `${used[name]} ${name} of ${capacity[name]} at ${when} (${task.taskId})`;
    }
    if ((grant?.gpus.length ?? 0) !== resources.gpus)
      return `${task.taskId} was not given ${resources.gpus} GPUs`;
    for (const [device, milli] of grant?.gpus ?? []) {
      const card = cards[device];
      if (card === undefined) return `${task.taskId} was given GPU ${device}, of ${cards.length}`;
      cards[device] = card + sign * milli;
      if (card + sign * milli > 1000) return `GPU ${device} gave ${card + milli} thousandths at ${when}`;
    }
  }
  return undefined;
}
