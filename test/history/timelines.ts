// The life of each task, put together from its events, which come more than once and in no order: each says from which
// state to which, so they make a chain. What does not fit into the chain is kept aside for the rule that asks for gaps.
import type { EventDetail } from '../../shared/model/events.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import { isTerminal, type TaskState } from '../../shared/model/task.ts';
import type { Heard, History } from './history.ts';

type Told = EventDetail<'Task State Change'>;

export interface Step {
  readonly from: TaskState | null;
  readonly state: TaskState | 'DELETED';
  readonly at: number;
  readonly agentId: string | null;
}

export interface Timeline {
  readonly taskId: string;
  /** `role/environment/name`. */
  readonly job: string;
  readonly instance: number;
  readonly generation: number;
  /** In the order of the chain. */
  readonly steps: readonly Step[];
  /** Indexes of steps that do not follow from the one before. */
  readonly gaps: readonly number[];
  /** Two events that say they are the same one and differ. */
  readonly contradictions: readonly string[];
}

/** The life of each task that was heard of, by task id. */
export function timelinesOf(history: History): ReadonlyMap<string, Timeline> {
  const told = Map.groupBy(history.heard.flatMap(taskEvent), ({ taskId }) => taskId);
  return new Map([...told].map(([taskId, events]) => [taskId, timelineOf(taskId, events)]));
}

function taskEvent({ event }: Heard): Told[] {
  return event.detailType === 'Task State Change' ? [event.detail] : [];
}

function timelineOf(taskId: string, events: readonly Told[]): Timeline {
  const first = events[0] as Told;
  const contradictions: string[] = [];
  const distinct = new Map<string, Told>();
  for (const event of events) {
    const id = `${event.to} at ${event.at}`;
    const known = distinct.get(id);
    if (!known) distinct.set(id, event);
    else if (known.from !== event.from)
      contradictions.push(`${id}, from ${known.from} and from ${event.from}`);
  }
  const rest = [...distinct.values()].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const steps: Step[] = [];
  const gaps: number[] = [];
  let state: TaskState | 'DELETED' | null = null;
  while (rest.length > 0) {
    let next = rest.findIndex(({ from }) => from === state);
    if (next < 0) {
      gaps.push(steps.length);
      next = 0;
    }
    const [event] = rest.splice(next, 1) as [Told];
    state = event.to;
    steps.push({ from: event.from, state, at: Date.parse(event.at), agentId: event.agentId });
  }
  const { instance, generation } = first;
  return { taskId, job: jobPath(first), instance, generation, steps, gaps, contradictions };
}

export function startOf({ steps }: Timeline): number {
  return steps[0]?.at ?? 0;
}

/**
 * When the task had surely ended: infinite if it has not. A removal is told with the time of the telling, so only the
 * step before it is known for sure.
 */
export function endOf({ steps }: Timeline): number {
  const end = steps.findIndex(({ state }) => state === 'DELETED' || isTerminal(state));
  const step = steps[end];
  if (!step) return Number.POSITIVE_INFINITY;
  return step.state === 'DELETED' ? (steps[end - 1]?.at ?? step.at) : step.at;
}

/** The agent that had it, and since when. */
export function placementOf({
  steps,
}: Timeline): { readonly agentId: string; readonly at: number } | undefined {
  const step = steps.find(({ state }) => state === 'ASSIGNED');
  return step?.agentId ? { agentId: step.agentId, at: step.at } : undefined;
}
