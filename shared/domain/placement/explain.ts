// Explain: why a shape of task got no agent (design D13). Per code, how many agents it ruled out; the agent that came
// closest, with numbers; and whether waiting can help at all.
import type { PendingReason, Reason } from '../../model/reason.ts';
import { type Ask, couldEverTake, type LimitCount, vetoes } from './filter.ts';
import type { AgentSnapshot } from './types.ts';

/** Size of one unit of shortfall per code, from spec/scheduling.md section 3; GPU and ports likewise. */
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
  CONSTRAINT: 10_000,
  LIMIT: 10_000,
};

/** How far an agent is from taking the ask; the spec's score, with the shortfall in proportion up to 1000 each. */
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

/** The verdict over all agents of a pool as they stand. `agents` in the order that breaks ties for nearest. */
export function explain(
  ask: Ask,
  agents: readonly AgentSnapshot[],
  countOf: LimitCount,
  now: number,
): PendingReason {
  if (agents.length === 0) {
    return { verdict: 'waiting', agents: 0, counts: [{ code: 'NO_AGENTS', agents: 0 }], at: now };
  }
  const counts = new Map<string, PendingReason['counts'][number]>();
  let nearest: { agentId: string; reasons: readonly Reason[] } | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  let ever = false;
  for (const snapshot of agents) {
    ever ||= couldEverTake(ask, snapshot.agent);
    const reasons = vetoes(ask, snapshot, countOf);
    const [first] = reasons;
    if (!first) continue;
    count(counts, first);
    const away = distance(reasons);
    if (away < nearestDistance) {
      nearestDistance = away;
      nearest = { agentId: snapshot.agent.agentId, reasons };
    }
  }
  return {
    verdict: ever ? 'waiting' : 'neverFits',
    agents: agents.length,
    counts: [...counts.values()].sort((a, b) => b.agents - a.agents),
    ...(nearest ? { nearest: { agentId: nearest.agentId, reasons: [...nearest.reasons] } } : {}),
    at: now,
  };
}

function count(counts: Map<string, PendingReason['counts'][number]>, { code, attribute }: Reason): void {
  const key = attribute === undefined ? code : `${code} ${attribute}`;
  const entry = counts.get(key);
  if (entry) entry.agents++;
  else counts.set(key, { code, ...(attribute === undefined ? {} : { attribute }), agents: 1 });
}
