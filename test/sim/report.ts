// What many runs add up to: counts, coverage of the task machine, failures.
import { coverageOf, renderCoverage, strays, taskMachine, updateMachine } from './coverage.ts';
import type { RunResult } from './run.ts';
import { titleOf } from './scenario.ts';
import type { Shrunk } from './shrink.ts';

export class Totals {
  seeds = 0;
  directed = 0;
  steps = 0;
  calls = 0;
  checks = 0;
  simulatedMs = 0;
  readonly faults = new Map<string, number>();
  readonly pairs = new Set<string>();
  readonly refused = new Set<string>();
  readonly updatePairs = new Set<string>();
  updates = 0;
  readonly failures: RunResult[] = [];
  /** Directed scenarios that did not come to what they are for. */
  readonly missed: RunResult[] = [];

  /** Something is wrong with the product, or with what is said of the simulator. */
  get hasProblems(): boolean {
    const { transitions, updateTransitions } = this.summary();
    const surprises = transitions.surprises.length + updateTransitions.surprises.length;
    return this.failures.length + this.missed.length + surprises > 0;
  }

  add(result: RunResult): void {
    if (result.scenario.name === undefined) this.seeds++;
    else this.directed++;
    if (result.missed.length > 0 && result.failure === undefined) this.missed.push(result);
    this.steps += result.steps;
    this.calls += result.calls;
    this.checks += result.checks;
    this.simulatedMs += result.simulatedMs;
    for (const { kind } of result.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    for (const pair of result.pairs) this.pairs.add(pair);
    this.updates += result.updates;
    for (const pair of result.updatePairs) this.updatePairs.add(pair);
    for (const pair of result.refused) this.refused.add(pair);
    if (result.failure !== undefined) this.failures.push(result);
  }

  /** As data, for tests. */
  summary() {
    return {
      seeds: this.seeds,
      directed: this.directed,
      failed: this.failures.map(({ scenario, failure }) => ({ by: titleOf(scenario), failure })),
      missed: this.missed.map(({ scenario, missed }) => ({ by: titleOf(scenario), missed })),
      steps: this.steps,
      calls: this.calls,
      checks: this.checks,
      simulatedHours: Math.round(this.simulatedMs / 3600_000),
      faults: Object.fromEntries([...this.faults].sort(([a], [b]) => (a < b ? -1 : 1))),
      updates: this.updates,
      updateTransitions: coverageOf(updateMachine, this.updatePairs),
      transitions: coverageOf(taskMachine, this.pairs),
      strays: strays.length,
      straysRefused: strays.filter((pair) => this.refused.has(pair)).length,
      pairsSeen: new Set([...this.pairs, ...this.refused]).size,
    };
  }
}

export function renderTotals(totals: Totals, seconds: number, cpuSeconds: number): string {
  const { transitions, updateTransitions: statuses, faults, ...counts } = totals.summary();
  const injected = [...totals.faults.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${counts.directed} directed scenarios and ${counts.seeds} seeds in ${seconds.toFixed(1)} s: ${((counts.directed + counts.seeds) / seconds).toFixed(1)} runs/s, ` +
      `${Math.round(counts.steps / seconds).toLocaleString('en')} steps/s; ${cpuSeconds.toFixed(1)} s of processor`,
    `steps ${counts.steps.toLocaleString('en')}, service calls ${counts.calls.toLocaleString('en')}, ` +
      `property checks ${counts.checks.toLocaleString('en')}, simulated hours ${counts.simulatedHours.toLocaleString('en')}`,
    `faults injected ${injected.toLocaleString('en')}: ${Object.entries(faults)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')}`,
    ...renderCoverage('transitions of tasks', transitions),
    `reports refused and answered by a kill: ${counts.straysRefused} of ${counts.strays}; ${counts.pairsSeen} of 256 pairs tried`,
    ...renderCoverage(`transitions of ${counts.updates} updates`, statuses),
    ...counts.missed.map(({ by, missed }) => `${by} did not come to ${JSON.stringify(missed)}`),
    `runs that failed: ${counts.failed.length}`,
  ].join('\n');
}

const linesShown = 80;

export function renderShrunk({ scenario, only, result, runs }: Shrunk): string {
  const steps = scenario.steps.map(({ at, action }) => {
    const text = action.kind === 'submit' ? `submit ${action.job.name}` : JSON.stringify(action);
    return `  ${(at / 1000).toFixed(0)} s ${text}`;
  });
  return [
    `${titleOf(scenario)}: ${result.failure}`,
    `shrunk in ${runs} runs to ${scenario.steps.length} actions and ${only.size} faults, calm after ${scenario.calmAt / 1000} s`,
    ...steps,
    ...(scenario.strikes ?? []).map((strike) => `  ${JSON.stringify(strike)}`),
    ...result.faults
      .filter(({ strike }) => strike === undefined)
      .map(({ number, kind, site }) => `  fault #${number} ${kind} at ${site}`),
    `last ${Math.min(linesShown, result.lines.length)} of ${result.lines.length} lines:`,
    ...result.lines.slice(-linesShown).map((line) => `  ${line.slice(0, 240)}`),
  ].join('\n');
}
