// One transition of one task, worked out to the rows that must be written: read a task, ask `applyTransition`, commit.
//
// A commit writes `next` on condition that the row's state is still `from` (or removes the row on that condition) and,
// in the same transaction, `successor` on condition that no row has its key (design D5). Nothing is sent by the one
// who commits: the stream consumer derives the kill and the release from the change it sees (design D1). The one
// exception is ILLEGAL_WITH_KILL: nothing is written, so who received the stray report answers it with a kill.
import { BorealisError } from '../../lib/errors.ts';
import type { IdSource, RandomSource } from '../../lib/ports.ts';
import type { Grant } from '../../model/resources.ts';
import type { Task, TaskEvent, TaskState } from '../../model/task.ts';
import type { FlappingSettings } from './flapping.ts';
import { successorOf } from './successor.ts';
import { deadlineOf, type StateTimeouts } from './timeouts.ts';
import { attempt, type Effect, killNeeded, type Outcome } from './transitions.ts';

/** Events kept per task; beyond it the oldest but the first go, so that no agent can grow a row without bound. */
const maxEvents = 100;

/** Message of the second event when a partitioned task is acted upon (spec section 4, effect L). */
const lostMessage = 'Action performed on partitioned task, marking as LOST.';

export interface TransitionInput {
  /** Epoch ms. */
  readonly now: number;
  readonly message?: string | undefined;
  /** Refuse with INVALID_CAS_STATE unless the task is in this state. */
  readonly expected?: TaskState | undefined;
  /** Required by PENDING -> ASSIGNED, ignored otherwise. */
  readonly agentId?: string | undefined;
  readonly grant?: Grant | undefined;
  readonly timeouts: StateTimeouts;
  readonly flapping: FlappingSettings;
}

/** Where fresh ids and jitter come from (design D4). */
export interface TransitionSources {
  readonly ids: IdSource;
  readonly random: RandomSource;
}

export interface TransitionPlan {
  /** Only SUCCESS has anything to write. */
  readonly outcome: Outcome | 'INVALID_CAS_STATE';
  /** The state the commit is conditional on. */
  readonly from: TaskState;
  /** The row as it must become; absent if it is removed or unchanged. */
  readonly next?: Task;
  /** The row must be deleted (a kill before any agent had it, or an ended task forgotten). */
  readonly remove: boolean;
  /** The next generation, to be written in the same transaction. */
  readonly successor?: Task;
  /** A kill goes to the task's agent: by the stream consumer, or, on ILLEGAL_WITH_KILL, by the caller. */
  readonly kill: boolean;
}

/**
 * Works out `task -> to`. Refusals are outcomes, not errors; throws INTERNAL only if an assignment lacks its agent or
 * grant, which is a fault of the calling code.
 */
export function applyTransition(
  task: Task,
  to: TaskState | 'DELETED',
  input: TransitionInput,
  sources: TransitionSources,
): TransitionPlan {
  const from = task.state;
  if (input.expected !== undefined && input.expected !== from) {
    return { outcome: 'INVALID_CAS_STATE', from, remove: false, kill: false };
  }
  const { outcome, effects } = attempt(from, to, factsOf(task));
  if (outcome !== 'SUCCESS') return { outcome, from, remove: false, kill: outcome === 'ILLEGAL_WITH_KILL' };
  if (to === 'DELETED' || effects.includes('DELETE')) return { outcome, from, remove: true, kill: false };
  const { next, successor } = perform(task, to, effects, input, sources);
  return {
    outcome,
    from,
    next,
    remove: false,
    ...(successor && { successor }),
    kill: killNeeded(from, next.state),
  };
}

function factsOf(task: Task) {
  return {
    service: task.service,
    maxTaskFailures: task.maxTaskFailures,
    failureCount: task.failureCount,
    wasKilling: task.events.some(({ state }) => state === 'KILLING'),
  };
}

interface Performed {
  readonly next: Task;
  readonly successor?: Task;
}

/** Runs the effects in order. TRANSITION_TO_LOST is a second transition from the state just saved. */
function perform(
  task: Task,
  to: TaskState,
  effects: readonly Effect[],
  input: TransitionInput,
  sources: TransitionSources,
): Performed {
  const counted = effects.includes('INCREMENT_FAILURES')
    ? { ...task, failureCount: task.failureCount + 1 }
    : task;
  const next = saveState(counted, to, input);
  if (effects.includes('TRANSITION_TO_LOST')) {
    const lost = attempt(to, 'LOST', factsOf(next));
    return perform(next, 'LOST', lost.effects, { ...input, message: lostMessage }, sources);
  }
  if (!effects.includes('RESCHEDULE')) return { next };
  const at = next.events.at(-1)?.at ?? input.now;
  return { next, successor: successorOf(next, at, input.flapping, sources) };
}

function saveState(task: Task, to: TaskState, input: TransitionInput): Task {
  // Handlers' clocks differ a little; a history that runs backwards would make a long run look short.
  const at = Math.max(input.now, task.events.at(-1)?.at ?? input.now);
  const event: TaskEvent = { state: to, at, ...(input.message && { message: input.message }) };
  const { deadlineAt: _past, ...rest } = task;
  const deadlineAt = deadlineOf(to, at, input.timeouts, task.warmUpSecs);
  return {
    ...rest,
    ...(task.state === 'PENDING' && to === 'ASSIGNED' && placement(task, input)),
    state: to,
    events: appendEvent(task.events, event),
    ...(deadlineAt !== undefined && { deadlineAt }),
  };
}

function placement(task: Task, { agentId, grant }: TransitionInput): Pick<Task, 'agentId' | 'grant'> {
  if (agentId === undefined || grant === undefined) {
    throw new BorealisError(
      'INTERNAL',
      `assigning ${task.taskId} needs both agentId and grant; the task is unchanged`,
    );
  }
  return { agentId, grant };
}

/**
 * Appends. Entering PARTITIONED after X, PARTITIONED, X drops the last two first, so that an agent whose link comes
 * and goes does not grow the history. The cap can only ever drop the to and fro of a run: whatever follows an asked
 * for end is at most three events.
 */
function appendEvent(events: readonly TaskEvent[], event: TaskEvent): TaskEvent[] {
  const [third, second, last] = events.slice(-3);
  const swings =
    event.state === 'PARTITIONED' && second?.state === 'PARTITIONED' && third?.state === last?.state;
  const appended = [...(swings ? events.slice(0, -2) : events), event];
  return appended.length <= maxEvents ? appended : [...appended.slice(0, 1), ...appended.slice(2)];
}
