// What one run of the matcher over a pool tells the dashboard.
import type { MetricPort } from '../ports.ts';
import type { MatchReport } from './match-pool.ts';

/** Values of one metric in one record of the log; CloudWatch takes at most 100. */
const latencySamples = 100;

/** Emits the measures of a run; `latenciesMs`: from creation to assignment, of every task it placed. */
export function measureRun(report: MatchReport, latenciesMs: readonly number[], meter: MetricPort): void {
  meter.count('Placements', report.assigned);
  meter.count('TasksWaiting', report.waiting);
  meter.count('AssignConflicts', report.conflicts);
  // Where nothing waited there is nothing to say, and a metric costs for every hour in which it is written.
  if (report.assigned + report.waiting === 0) return;
  meter.millis('MatchDuration', report.durationMs);
  meter.millis('PendingAge', report.oldestPendingMs);
  for (const latencyMs of evenSample(latenciesMs, latencySamples)) meter.millis('MatchLatency', latencyMs);
}

/** At most `count` of the values, evenly spread from the least to the greatest, both of them included. */
export function evenSample(values: readonly number[], count: number): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length <= count) return sorted;
  const step = (sorted.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, index) => sorted[Math.round(index * step)] ?? 0);
}
