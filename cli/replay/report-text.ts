// A replay's result for people.
import { count, formatShare } from '../output/words.ts';
import type { ReplayResult } from './replay.ts';

export function reportLines({ report, audit, reasons, raw }: ReplayResult): string[] {
  const { allocated, latencyMs } = report;
  const waiting = [...reasons].toSorted(([, a], [, b]) => b - a).map(([reason, n]) => `${n} ${reason}`);
  const lines = [
    `tasks            ${report.tasks}`,
    `placed           ${report.placed} (${formatShare(report.placed / report.tasks)})`,
    `never fit        ${report.neverFit}`,
    `waiting          ${report.waiting}${waiting.length > 0 ? `, by what the nearest agent lacks: ${waiting.join(', ')}` : ''}`,
    `allocated        cpu ${formatShare(allocated.cpu)}, memory ${formatShare(allocated.ramMb)}, GPUs ${formatShare(allocated.gpus)}`,
    `placements/s     ${report.placementsPerSecond}`,
    `engine writes/s  ${report.engineWritesPerSecond} tasks (create ${Math.round(raw.createMs)} ms, assign ${Math.round(raw.assignMs)} ms raw)`,
    `ratio            ${formatShare(report.ratio)}`,
    `latency          p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms from submit to ASSIGNED`,
    `write units      ${report.writeUnitsPerTask} per task life`,
    `over-committed   ${report.overCommittedAgents} of the agents, from ${count(audit.tasksCounted, 'task')} in the store; ${audit.mismatched.length} ledgers differ`,
  ];
  const samples = report.waitingOverTime ?? [];
  if (samples.length > 0) {
    lines.push('waiting over time (seconds: tasks without a place):');
    lines.push(`  ${samples.map(({ atSecs, waiting: n }) => `${atSecs}: ${n}`).join('  ')}`);
  }
  return lines;
}
