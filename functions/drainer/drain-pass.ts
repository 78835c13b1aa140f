// One pass over all agents that are being emptied, some at a time: their tasks and the jobs concerned, plan, commit. One
// pass at a time (the queue has one message group), so that the budget of a job is spent once, whichever agents its
// tasks are on. A pass that is repeated or cut short does no harm: the next one sees what is.
import { jobsToCount, planDrain } from '../../shared/domain/drain/plan-drain.ts';
import { applyTransition } from '../../shared/domain/task/apply.ts';
import type { Drain } from '../../shared/model/agent.ts';
import type { Task } from '../../shared/model/task.ts';
import { chunks, mapLimit } from '../../shared/store/flow.ts';
import type { AgentWithLedger, Store, TransitionWrite } from '../../shared/store/port.ts';
import type { MetricPort, RemainingTime } from '../ports.ts';
import { tellAside } from '../set-aside.ts';
import type { TransitionDeps } from '../transition-deps.ts';
import { drainingAgent, readJobs } from './read-drains.ts';

export interface DrainDeps extends TransitionDeps {
  readonly store: Pick<
    Store,
    'listDraining' | 'listOnAgent' | 'getJob' | 'listTasks' | 'transitionAll' | 'setAgentMode'
  >;
  readonly meter: MetricPort;
  /** Replaced in tests. */
  readonly agentsPerGroup?: number;
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
/** Read, planned and committed together. */
const agentsPerGroup = 64;
/** Begin no group when less time than this is left, milliseconds. */
const reserveMs = 30_000;
const slotMs = 5_000;

/**
 * Group by group, for as long as there is time; the next pass begins with another group. Throws what failed only after
 * everything else was tried; what was committed by then stands.
 */
export async function drainPass(remainingMs: RemainingTime, deps: DrainDeps): Promise<DrainReport> {
  const aside = tellAside(deps.log);
  const failures: unknown[] = [];
  const attempt: Attempt = async (work, fields, otherwise) => {
    try {
      return await work;
    } catch (error) {
      failures.push(error);
      deps.log.error('agents could not be emptied further; the others are', { ...fields, error });
      return otherwise;
    }
  };
  const entries = await deps.store.listDraining(aside);
  const isEmpty = ({ ledger }: AgentWithLedger) => ledger.live.length === 0;
  const emptied = await mapLimit(entries.filter(isEmpty), agentsAtOnce, (entry) =>
    attempt(finish(entry, deps), { agentId: entry.agent.agentId }, false),
  );
  const sum = { moved: 0, forced: 0, held: 0 };
  const groups = chunks(
    entries.filter((entry) => !isEmpty(entry)),
    deps.agentsPerGroup ?? agentsPerGroup,
  );
  for (const group of inTurn(groups, deps.clock())) {
    if (remainingMs() < reserveMs) {
      deps.log.warn(
        'there was no time for all agents that are being emptied; the next pass begins elsewhere',
      );
      break;
    }
    const agents = group.map(({ agent }) => agent.agentId);
    const moved = await attempt(drainGroup(group, attempt, deps), { agents }, undefined);
    sum.moved += moved?.moved ?? 0;
    sum.forced += moved?.forced ?? 0;
    sum.held += moved?.held ?? 0;
  }
  const report: DrainReport = { draining: entries.length, ...sum, drained: emptied.filter(Boolean).length };
  if (report.draining > 0) deps.log.info('agents are being emptied', { ...report });
  deps.meter.count('AgentsDraining', report.draining);
  deps.meter.count('TasksDrained', report.moved);
  deps.meter.count('DrainsForced', report.forced);
  if (failures.length > 0) throw failures[0];
  return report;
}

type Attempt = <T>(work: Promise<T>, fields: Readonly<Record<string, unknown>>, otherwise: T) => Promise<T>;

/** From another one each time, so that a pass without time for all leaves none out for ever. */
function inTurn<T>(groups: readonly T[], now: number): T[] {
  const first = groups.length === 0 ? 0 : Math.floor(now / slotMs) % groups.length;
  return [...groups.slice(first), ...groups.slice(0, first)];
}

/** The budget of a job is spent once all the same: each group counts what the ones before have taken. */
async function drainGroup(
  group: readonly AgentWithLedger[],
  attempt: Attempt,
  deps: DrainDeps,
): Promise<Pick<DrainReport, 'moved' | 'forced' | 'held'>> {
  const aside = tellAside(deps.log);
  const read = await mapLimit(group, agentsAtOnce, (entry) =>
    attempt(drainingAgent(entry, deps.store, aside), { agentId: entry.agent.agentId }, undefined),
  );
  const agents = read.filter((agent) => agent !== undefined);
  const now = deps.clock();
  const plan = planDrain(agents, await readJobs(jobsToCount(agents, now), deps.store, aside), now);
  const drains = new Map(agents.map(({ agentId, drain }) => [agentId, drain]));
  const writes = plan.move.flatMap(({ task, agentId }) => {
    const write = drainWrite(task, drains.get(agentId), deps);
    return write ? [write] : [];
  });
  const outcomes = writes.length === 0 ? [] : await deps.store.transitionAll(writes);
  return {
    moved: outcomes.filter(({ kind }) => kind === 'committed').length,
    forced: plan.move.filter(({ forced }) => forced).length,
    held: plan.held.filter(({ hold }) => hold.kind !== 'ENDING').length,
  };
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
