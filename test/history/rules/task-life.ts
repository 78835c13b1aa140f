// The life of one task: only changes the specification knows, ends that are final, times that never go back, no event
// without a change and no change without its event.
import { isTerminal } from '../../../shared/model/task.ts';
import { specified } from '../../shared/domain/task/specified-table.ts';
import type { History, Violation } from '../history.ts';
import type { Step, Timeline } from '../timelines.ts';

type Timelines = ReadonlyMap<string, Timeline>;

/** Every change is in the table of the specification. */
export function legalTransitions(_history: History, timelines: Timelines): Violation[] {
  return [...timelines.values()].flatMap(({ taskId, steps }) =>
    steps
      .filter(({ from, state }) => !isLegal(from, state))
      .map(({ from, state }) => ({
        rule: 'legal transitions',
        about: taskId,
        message: `went from ${from ?? 'nothing'} to ${state}`,
      })),
  );
}

function isLegal(from: Step['from'], to: Step['state']): boolean {
  // Removal is the kill of a task that no agent has.
  if (to === 'DELETED') return from !== null && (specified(from, 'KILLING')?.includes('D') ?? false);
  const effects = specified(from ?? 'INIT', to);
  return effects !== undefined && effects[0] !== '!K';
}

/** Nothing follows an end. */
export function endsAreFinal(_history: History, timelines: Timelines): Violation[] {
  return [...timelines.values()].flatMap(({ taskId, steps }) => {
    const end = steps.findIndex(({ state }) => state === 'DELETED' || isTerminal(state));
    const after = end < 0 ? undefined : steps[end + 1];
    if (!after) return [];
    return [
      {
        rule: 'ends are final',
        about: taskId,
        message: `was ${steps[end]?.state} and then ${after.from} to ${after.state}`,
      },
    ];
  });
}

/** Along the chain of a task's events no time is earlier than the one before. */
export function timesGoForward(_history: History, timelines: Timelines): Violation[] {
  return [...timelines.values()].flatMap(({ taskId, steps }) =>
    steps.flatMap((step, index) => {
      const before = steps[index - 1];
      if (!before || step.at >= before.at) return [];
      const message = `${step.state} is ${before.at - step.at} ms earlier than ${before.state}, which it follows`;
      return [{ rule: 'times go forward', about: taskId, message }];
    }),
  );
}

/** The events of a task are one chain from its creation, and agree with the history the API tells. */
export function nothingUntold(history: History, timelines: Timelines): Violation[] {
  const rule = 'nothing untold';
  const violations: Violation[] = [];
  const shown = new Map(history.jobs.flatMap(({ tasks }) => tasks.map((task) => [task.taskId, task])));
  for (const { taskId, steps, gaps, contradictions } of timelines.values()) {
    for (const message of contradictions) violations.push({ rule, about: taskId, message });
    for (const gap of gaps) {
      const [before, step] = [steps[gap - 1], steps[gap]];
      const message = `the event before ${step?.from ?? 'its creation'} -> ${step?.state} is missing, after ${before?.state ?? 'nothing'}`;
      violations.push({ rule, about: taskId, message });
    }
    const isRemoved = steps.at(-1)?.state === 'DELETED';
    if (isRemoved === shown.has(taskId)) {
      const message = isRemoved ? 'was told to be removed, but is there' : 'is not in the API';
      violations.push({ rule, about: taskId, message });
    }
  }
  for (const [taskId, { events }] of shown) {
    const told = compacted(timelines.get(taskId)?.steps ?? []).map(({ state, at }) => `${state}@${at}`);
    const stored = events.map(({ state, at }) => `${state}@${Date.parse(at)}`);
    if (told.join() === stored.join()) continue;
    const missing = stored.filter((step) => !told.includes(step));
    const extra = told.filter((step) => !stored.includes(step));
    const message = `events and history differ: not told ${missing.join(', ') || 'none'}; not stored ${extra.join(', ') || 'none'}`;
    violations.push({ rule, about: taskId, message });
  }
  return violations;
}

/** A stored history drops the to and fro of a link that comes and goes: X, PARTITIONED, X, PARTITIONED is kept as X, PARTITIONED. */
function compacted(steps: readonly Step[]): Step[] {
  const kept: Step[] = [];
  for (const step of steps) {
    const [third, second, last] = kept.slice(-3);
    const swings =
      step.state === 'PARTITIONED' && second?.state === 'PARTITIONED' && third?.state === last?.state;
    if (swings) kept.splice(-2);
    kept.push(step);
  }
  return kept;
}
