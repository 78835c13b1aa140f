// Explain: why a shape of task got no agent (design D13). Per code, how many agents it ruled out; the agent that came
// closest, with numbers; and whether waiting can help at all. Says what filter.ts says of each agent, but works out
// once per set of constraints what the constraints alone decide.
import type { PendingReason, Reason } from '../../model/reason.ts';
import type { Resources } from '../../model/resources.ts';
import type { Constraint } from '../../model/task-config.ts';
import {
  type Ask,
  closedVeto,
  constraintVeto,
  couldEverTake,
  dedicatedVeto,
  type LimitCount,
  limitVeto,
  shortfalls,
} from './filter.ts';
import { fits } from './ledger.ts';
import type { AgentSnapshot } from './types.ts';

type Counts = Map<string, PendingReason['counts'][number]>;

/** What one code's shortfall is measured against, from spec/scheduling.md section 3; thousandths and MiB. */
const shortfallRange: Partial<Record<Reason['code'], number>> = {
  CPU: 16_000,
  RAM: 24_576,
  DISK: 460_800,
  PORTS: 1000,
  GPU: 4000,
  GPU_MODEL: 4000,
};
const categoryScore: Partial<Record<Reason['code'], number>> = {
  DEDICATED: 1_000_000,
  MAINTENANCE: 100_000,
  AWAY: 100_000,
  CONSTRAINT: 10_000,
  LIMIT: 10_000,
};

/** How far an agent is from taking the ask: the spec's score, a shortfall counting in proportion, at most 1000. */
export function distance(reasons: readonly Reason[]): number {
  let total = 0;
  for (const { code, needed = 0, available = 0 } of reasons) {
    const range = shortfallRange[code];
    total +=
      range === undefined
        ? (categoryScore[code] ?? 0)
        : Math.min(1000, (1000 * (needed - available)) / range);
  }
  return total;
}

interface Nearest {
  readonly at: number;
  readonly away: number;
  readonly reasons: readonly Reason[];
}

/** What a set of constraints decides by itself. */
interface FixedVerdict {
  readonly counts: Counts;
  readonly passing: readonly number[];
  readonly nearest: Nearest | undefined;
}

/** Reasons over the agents of one pool as they stand. */
export class Explainer {
  private readonly agents: readonly AgentSnapshot[];
  private readonly now: number;
  private readonly fixed = new Map<string, FixedVerdict>();

  /** `agents` in the order that breaks ties for the nearest one; `now` dates the reasons. */
  constructor(agents: readonly AgentSnapshot[], now: number) {
    this.agents = agents;
    this.now = now;
  }

  /** Why the ask, which no agent takes, has to wait. */
  explain(ask: Ask, countOf: LimitCount): PendingReason {
    const { agents, now } = this;
    if (agents.length === 0) {
      return { verdict: 'waiting', agents: 0, counts: [{ code: 'NO_AGENTS', agents: 0 }], at: now };
    }
    const { counts, nearest } = this.overPassing(ask, countOf);
    const ever = agents.some(({ agent }) => couldEverTake(ask, agent));
    return {
      verdict: ever ? 'waiting' : 'neverFits',
      agents: agents.length,
      counts: [...counts.values()].sort((a, b) => b.agents - a.agents),
      ...(nearest
        ? { nearest: { agentId: this.agentAt(nearest.at).agent.agentId, reasons: [...nearest.reasons] } }
        : {}),
      at: now,
    };
  }

  private overPassing(ask: Ask, countOf: LimitCount): { counts: Counts; nearest: Nearest | undefined } {
    const fixed = this.fixedVerdict(ask.constraints);
    const counts: Counts = new Map([...fixed.counts].map(([key, entry]) => [key, { ...entry }]));
    const limited = ask.constraints.some(({ kind }) => kind === 'limit');
    let { nearest } = fixed;
    for (const at of fixed.passing) {
      const { agent, ledger } = this.agentAt(at);
      const limit = limited ? limitVeto(ask.constraints, agent.attributes, countOf) : undefined;
      if (!limit && fits(ledger, ask.resources, agent.capacity)) continue;
      const bound = nearest?.away ?? Number.POSITIVE_INFINITY;
      const code = limit?.code ?? quickCode(ask.resources, ledger);
      if (code && code !== 'LIMIT' && atLeast(ask.resources, ledger) > bound) {
        count(counts, { code });
        continue;
      }
      const reasons = limit ? [limit] : shortfalls(ask.resources, ledger, agent.capacity);
      count(counts, reasons[0] as Reason);
      const away = distance(reasons);
      if (away < bound || (away === bound && nearest !== undefined && at < nearest.at)) {
        nearest = { at, away, reasons };
      }
    }
    return { counts, nearest };
  }

  private fixedVerdict(constraints: readonly Constraint[]): FixedVerdict {
    const key = JSON.stringify(constraints);
    let verdict = this.fixed.get(key);
    if (!verdict) {
      verdict = this.judge(constraints);
      this.fixed.set(key, verdict);
    }
    return verdict;
  }

  private judge(constraints: readonly Constraint[]): FixedVerdict {
    const counts: Counts = new Map();
    const passing: number[] = [];
    let nearest: Nearest | undefined;
    for (const [at, { agent }] of this.agents.entries()) {
      const veto =
        dedicatedVeto({ constraints }, agent) ??
        closedVeto(agent) ??
        constraintVeto(constraints, agent.attributes);
      if (!veto) {
        passing.push(at);
        continue;
      }
      count(counts, veto);
      const away = distance([veto]);
      if (!nearest || away < nearest.away) nearest = { at, away, reasons: [veto] };
    }
    return { counts, passing, nearest };
  }

  private agentAt(at: number): AgentSnapshot {
    return this.agents[at] as AgentSnapshot;
  }
}

/** CPU or RAM or DISK if that is the first shortfall, without working out the rest. */
function quickCode(resources: Resources, ledger: AgentSnapshot['ledger']): Reason['code'] | undefined {
  if (ledger.freeCpuMilli < resources.cpuMilli) return 'CPU';
  if (ledger.freeRamMb < resources.ramMb) return 'RAM';
  if (ledger.freeDiskMb < resources.diskMb) return 'DISK';
  return undefined;
}

/** A lower bound of the distance, from cpu and memory alone. */
function atLeast(resources: Resources, ledger: AgentSnapshot['ledger']): number {
  const cpu = Math.max(0, resources.cpuMilli - ledger.freeCpuMilli) / (shortfallRange.CPU as number);
  const ram = Math.max(0, resources.ramMb - ledger.freeRamMb) / (shortfallRange.RAM as number);
  return Math.min(1000, 1000 * cpu) + Math.min(1000, 1000 * ram);
}

function count(counts: Counts, { code, attribute }: Reason): void {
  const key = attribute === undefined ? code : `${code} ${attribute}`;
  const entry = counts.get(key);
  if (entry) entry.agents++;
  else counts.set(key, { code, ...(attribute === undefined ? {} : { attribute }), agents: 1 });
}
