// What a replay found, as numbers: pure arithmetic over the tasks as the API gives them.
import type { TaskView, Why } from '../../shared/api/views.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { TraceNode } from './trace.ts';

/** The object `replay --json` prints; outside programs rely on names and types. */
export interface ReplayReport {
  readonly tasks: number;
  readonly placed: number;
  readonly neverFit: number;
  readonly waiting: number;
  /** Shares of the fleet's total, 0 to 1. */
  readonly allocated: { readonly cpu: number; readonly ramMb: number; readonly gpus: number };
  readonly placementsPerSecond: number;
  /** Tasks per second when the same engine takes the same writes raw. */
  readonly engineWritesPerSecond: number;
  readonly ratio: number;
  /** From the submission of a task's job, at the client, to its ASSIGNED event. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly writeUnitsPerTask: number;
  readonly overCommittedAgents: number;
}

/** Tasks that were placed, with the moment their job was submitted. */
export interface SubmittedTasks {
  /** Epoch ms at the client, just before the request. */
  readonly submittedAt: number;
  readonly tasks: readonly TaskView[];
}

export interface Placements {
  readonly placed: number;
  readonly perSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** Moment of the last placement, epoch ms; 0 without any. */
  readonly lastAt: number;
}

/**
 * Rates and latencies from the ASSIGNED events. `notBefore`: the placement was not over yet at this moment (epoch ms),
 * seen from outside; a guard against events that carry an earlier time than that of their write.
 */
export function measurePlacements(groups: readonly SubmittedTasks[], notBefore = 0): Placements {
  const latencies: number[] = [];
  let lastAt = notBefore;
  for (const { submittedAt, tasks } of groups) {
    for (const { events } of tasks) {
      const assigned = events.find(({ state }) => state === 'ASSIGNED');
      if (!assigned) continue;
      const at = Date.parse(assigned.at);
      latencies.push(at - submittedAt);
      lastAt = Math.max(lastAt, at);
    }
  }
  const firstAt = Math.min(...groups.map(({ submittedAt }) => submittedAt));
  const seconds = Math.max(0.001, (lastAt - firstAt) / 1000);
  latencies.sort((a, b) => a - b);
  return {
    placed: latencies.length,
    perSecond: latencies.length === 0 ? 0 : round(latencies.length / seconds, 1),
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
    lastAt,
  };
}

/** Nearest-rank percentile of sorted values; 0 for none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** What the given tasks hold, as shares of all the fleet has; 0 where the fleet has none. */
export function allocatedShares(
  nodes: readonly TraceNode[],
  tasks: Iterable<Pick<TaskView, 'resources'>>,
): ReplayReport['allocated'] {
  const used = { cpu: 0, ramMb: 0, gpus: 0 };
  for (const { resources } of tasks) {
    const share = resources.gpus === 1 && resources.gpuMilli > 0 ? resources.gpuMilli : 1000;
    used.cpu += resources.cpuMilli;
    used.ramMb += resources.ramMb;
    used.gpus += (resources.gpus * share) / 1000;
  }
  const total = { cpu: 0, ramMb: 0, gpus: 0 };
  for (const node of nodes) {
    total.cpu += node.cpuMilli;
    total.ramMb += node.ramMb;
    total.gpus += node.gpus.length;
  }
  const part = (a: number, b: number): number => (b === 0 ? 0 : round(a / b, 4));
  return {
    cpu: part(used.cpu, total.cpu),
    ramMb: part(used.ramMb, total.ramMb),
    gpus: part(used.gpus, total.gpus),
  };
}

/** Tasks that wait, by what the agent that came closest lacks. */
export interface Unplaced {
  readonly neverFit: number;
  readonly waiting: number;
  /** Waiting for which no matcher has given a reason. */
  readonly unexplained: number;
  readonly reasons: ReadonlyMap<string, number>;
}

export function countUnplaced(whys: readonly Why[]): Unplaced {
  const reasons = new Map<string, number>();
  let neverFit = 0;
  let waiting = 0;
  let unexplained = 0;
  for (const { pending } of whys) {
    for (const { instances, reason } of pending) {
      const tasks = countInstances(instances);
      if (reason === null) unexplained += tasks;
      if (reason?.verdict === 'neverFits') neverFit += tasks;
      else waiting += tasks;
      const codes = reason?.nearest?.reasons.map(({ code }) => code) ?? [];
      const label = reason === null ? 'no reason yet' : [...new Set(codes)].join(' and ') || 'no agents';
      reasons.set(label, (reasons.get(label) ?? 0) + tasks);
    }
  }
  return { neverFit, waiting, unexplained, reasons };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
