// One pass over all agents that are being emptied: read them, their tasks and the jobs concerned, plan, commit. One
// pass at a time (the queue has one message group), so that the budget of a job is spent once, whichever agents its
// tasks are on. A pass that is repeated or cut short does no harm: the next one sees what is.
import { jobsToCount, planDrain } from '../../shared/domain/drain/plan-drain.ts';
import { applyTransition } from '../../shared/domain/task/apply.ts';
import type { Drain } from '../../shared/model/agent.ts';
import type { Task } from '../../shared/model/task.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger, Store, TransitionWrite } from '../../shared/store/port.ts';
import type { MetricPort } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import type { TransitionDeps } from '../transition-deps.ts';
import { drainingAgent, readJobs } from './read-drains.ts';

export interface DrainDeps extends TransitionDeps {
  readonly store: Pick<
    Store,
    'listDraining' | 'listOnAgent' | 'getJob' | 'listTasks' | 'transitionAll' | 'setAgentMode'
  >;
  readonly meter: MetricPort;
}

export interface DrainReport {
  /** Agents that were being emptied when the pass began. */
  readonly draining: number;
  /** Tasks whose end was asked for. */
  readonly moved: number;
  /** Of these, without regard to their job's availability. */
  readonly forced: number;
  /** Tasks that wait for their job's budget, or may finish. */
  readonly held: number;
  /** Agents found empty. */
  readonly drained: number;
}

const agentsAtOnce = 16;

/** Throws only if the store does; what was committed by then stands. */
export async function drainPass(deps: DrainDeps): Promise<DrainReport> {
  const aside = tellAside(deps.log);
  const entries = await deps.store.listDraining(aside);
  const isEmpty = ({ ledger }: AgentWithLedger) => ledger.live.length === 0;
  const emptied = await mapLimit(entries.filter(isEmpty), agentsAtOnce, (entry) => finish(entry, deps));
  const agents = await mapLimit(
    entries.filter((entry) => !isEmpty(entry)),
    agentsAtOnce,
    (entry) => drainingAgent(entry, deps.store, aside),
  );
  const now = deps.clock();
  const plan = planDrain(agents, await readJobs(jobsToCount(agents, now), deps.store, aside), now);
  const drains = new Map(agents.map(({ agentId, drain }) => [agentId, drain]));
  const writes = plan.move.flatMap(({ task, agentId }) => {
    const write = drainWrite(task, drains.get(agentId), deps);
    return write ? [write] : [];
  });
  const outcomes = writes.length === 0 ? [] : await deps.store.transitionAll(writes);
  const report: DrainReport = {
    draining: entries.length,
    moved: outcomes.filter(({ kind }) => kind === 'committed').length,
    forced: plan.move.filter(({ forced }) => forced).length,
    held: plan.held.filter(({ hold }) => hold.kind !== 'ENDING').length,
    drained: emptied.filter(Boolean).length,
  };
  if (report.draining > 0) deps.log.info('agents are being emptied', { ...report });
  deps.meter.count('AgentsDraining', report.draining);
  deps.meter.count('TasksDrained', report.moved);
  deps.meter.count('DrainsForced', report.forced);
  return report;
}

/** The ledger shows nothing held: the agent is empty, unless something came in between. */
async function finish(entry: AgentWithLedger, { store, log }: DrainDeps): Promise<boolean> {
  const { agentId, drain } = entry.agent;
  const { kind } = await store.setAgentMode(entry, { mode: 'DRAINED', ...(drain && { drain }) });
  if (kind === 'committed') log.info('agent is empty', { agentId });
  return kind === 'committed';
}

function drainWrite(task: Task, drain: Drain | undefined, deps: DrainDeps): TransitionWrite | undefined {
  const { timeouts, flapping } = deps;
  const message = `Draining machine for maintenance.${drain?.reason ? `\n${drain.reason}` : ''}`;
  const input = { now: deps.clock(), message, expected: task.state, timeouts, flapping };
  const plan = applyTransition(task, 'DRAINING', input, deps);
  if (plan.outcome !== 'SUCCESS' || !plan.next) return undefined;
  return { task, next: plan.next, ...(plan.successor && { successor: plan.successor }) };
}
