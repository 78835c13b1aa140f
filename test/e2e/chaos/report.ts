// What a chaos run tells people: what was done, what came of it, what was found.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostStats } from '../../../local/host/host.ts';
import { isTerminalUpdate } from '../../../shared/model/update.ts';
import type { History, Violation } from '../../history/history.ts';
import type { Strikes } from './nemesis.ts';

export interface Done {
  readonly seed: number;
  readonly strikes: Strikes;
  /** Calls of functions and requests to the store that were struck, by kind. */
  readonly faults: Readonly<Record<string, number>> | undefined;
}

/** Some lines. With violations the history is written into a file, which the last line names. */
export function report(
  history: History,
  violations: readonly Violation[],
  { seed, strikes, faults }: Done,
  left?: HostStats,
): string {
  const { from, to, calls, heard, runs, jobs, samples, updates } = history;
  const changes = heard.flatMap(({ event }) =>
    event.detailType === 'Task State Change' ? [event.detail] : [],
  );
  const tasks = new Set(changes.map(({ taskId }) => taskId));
  const lost = new Set(changes.filter((change) => change.to === 'LOST').map(({ taskId }) => taskId));
  const lostAgents = heard.filter(
    ({ event }) => event.detailType === 'Agent Change' && event.detail.change === 'lost',
  ).length;
  const outcomes = counts(
    calls.map(({ outcome, code }) => (code === undefined ? outcome : `${outcome} (${code})`)),
  );
  const lines = [
    `seed ${seed}: ${Math.round((to - from) / 1000)} s from the first call to the last look`,
    `done: ${counted(strikes)}; functions and requests to the store struck: ${faults ? counted(faults) : 'none'}`,
    `calls: ${counted(outcomes)}; ${jobs.length} jobs`,
    `${tasks.size} tasks, ${runs.filter(({ what }) => what === 'start').length} started, ${lost.size} lost; agents called lost: ${lostAgents}`,
    `updates: ${counted(counts(updates.map(({ status }) => status)))}; under way when the control plane was killed: ${bereft(history)}`,
    `${heard.length} events heard, ${samples.length} looks at the machine`,
    `${violations.length} violations`,
    ...violations.map(({ rule, about, message }) => `  ${rule}: ${about}: ${message}`),
  ];
  if (violations.length > 0) {
    const file = join(mkdtempSync(join(tmpdir(), 'borealis-chaos-')), 'history.json');
    writeFileSync(file, JSON.stringify(history));
    if (left) writeFileSync(file.replace('history', 'stats'), JSON.stringify(left, undefined, 2));
    lines.push(`the history is in ${file}${left ? ', what the control plane says of itself beside it' : ''}`);
  }
  return lines.join('\n');
}

/** Updates that an outage took their execution. */
function bereft({ heard, faults }: History): number {
  const changes = heard.flatMap(({ event }) => (event.detailType === 'Update Change' ? [event.detail] : []));
  const outages = faults.filter(({ kind }) => kind === 'outage');
  return [...Map.groupBy(changes, ({ updateId }) => updateId).values()].filter((all) => {
    const began = Math.min(...all.map(({ at }) => Date.parse(at)));
    const ended = all.find((change) => isTerminalUpdate(change.to))?.at;
    const until = ended === undefined ? Number.POSITIVE_INFINITY : Date.parse(ended);
    return outages.some(({ from }) => began < from && from < until);
  }).length;
}

function counts(names: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

function counted(numbers: Readonly<Record<string, number>>): string {
  return Object.entries(numbers)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
