// The task state machine as one table: from x to -> what happens, as data (spec/task-lifecycle.md section 4).
// Nothing else in the product decides whether a state change is allowed. `docs/reference/task-states.md` is written
// from this table, and a test walks all 16 x 16 pairs against a second, literal copy of the specification.
import { isOnAgent, isTerminal, type TaskState, taskStates } from '../../model/task.ts';

/** A stored state, or one of the two that exist only here: INIT (before the first save), DELETED (no row). */
export type MachineState = TaskState | 'INIT' | 'DELETED';

/** All 16 states, INIT first and DELETED last. */
export const machineStates: readonly MachineState[] = ['INIT', ...taskStates, 'DELETED'];

/** What a transition does, in the order in which it is done within one storage write. */
export const effectOrder = [
  'INCREMENT_FAILURES',
  'SAVE_STATE',
  'RESCHEDULE',
  'TRANSITION_TO_LOST',
  'KILL',
  'DELETE',
] as const;
export type Effect = (typeof effectOrder)[number];

/** A reschedule that depends on the task; `attempt` turns it into RESCHEDULE or drops it. */
type ConditionalEffect = 'RESCHEDULE_IF_SERVICE' | 'RESCHEDULE_IF_RETRY_LEFT' | 'RESCHEDULE_UNLESS_KILLED';
export type TableEffect = Effect | ConditionalEffect;

/** An entry of the table. `allowed: false` means the state stays as it is and only the kill is sent. */
interface TransitionRule {
  readonly allowed: boolean;
  readonly effects: readonly TableEffect[];
}
type Row = Readonly<Partial<Record<MachineState, TransitionRule>>>;

const rule = (...effects: TableEffect[]): TransitionRule => ({ allowed: true, effects });

const save = rule('SAVE_STATE');
const saveAndKill = rule('SAVE_STATE', 'KILL');
const saveAndReschedule = rule('SAVE_STATE', 'RESCHEDULE');
const saveRescheduleKill = rule('SAVE_STATE', 'RESCHEDULE', 'KILL');
const saveThenLost = rule('SAVE_STATE', 'TRANSITION_TO_LOST');
const finished = rule('SAVE_STATE', 'RESCHEDULE_IF_SERVICE');
const failed = rule('INCREMENT_FAILURES', 'SAVE_STATE', 'RESCHEDULE_IF_RETRY_LEFT');
const remove = rule('DELETE');

/** A report that a task runs which should not: refused, and answered with a kill. */
const stray: TransitionRule = { allowed: false, effects: ['KILL'] };
const straysAreKilled = { ASSIGNED: stray, STARTING: stray, RUNNING: stray } as const;

/** Someone asked for the end of a task that an agent runs. */
const endRequests = {
  KILLING: saveAndKill,
  RESTARTING: saveAndKill,
  DRAINING: saveAndKill,
  PREEMPTING: saveAndKill,
} as const;

/** Its end was asked for and a replacement is wanted: whatever end comes, a successor follows. */
const endingWithReplacement: Row = {
  FINISHED: saveAndReschedule,
  FAILED: saveAndReschedule,
  KILLED: saveAndReschedule,
  LOST: saveRescheduleKill,
  // A kill is already in flight; this only cancels the replacement.
  KILLING: save,
  PARTITIONED: saveThenLost,
  ...straysAreKilled,
};

const ended: Row = { DELETED: remove, ...straysAreKilled };

/** The complete machine. A pair that is not listed is ILLEGAL without effect; from = to is a NOOP. */
export const transitionTable: Readonly<Record<MachineState, Row>> = {
  INIT: { PENDING: save, THROTTLED: save },
  THROTTLED: { PENDING: save, KILLING: remove },
  PENDING: { ASSIGNED: save, KILLING: remove },
  ASSIGNED: {
    STARTING: save,
    RUNNING: save,
    FINISHED: finished,
    FAILED: failed,
    KILLED: saveAndReschedule,
    // The launch may still reach the agent, hence the kill.
    LOST: saveRescheduleKill,
    ...endRequests,
  },
  STARTING: {
    RUNNING: save,
    PARTITIONED: save,
    FINISHED: finished,
    FAILED: failed,
    KILLED: saveAndReschedule,
    LOST: saveAndReschedule,
    ...endRequests,
  },
  RUNNING: {
    PARTITIONED: save,
    FINISHED: finished,
    FAILED: failed,
    KILLED: saveAndReschedule,
    LOST: saveAndReschedule,
    ...endRequests,
  },
  PARTITIONED: {
    ASSIGNED: save,
    STARTING: save,
    RUNNING: save,
    // Unlike Aurora, whose service would miss the instance for ever (docs/adr/0014-partitioned-services.md).
    FINISHED: finished,
    FAILED: failed,
    LOST: rule('SAVE_STATE', 'RESCHEDULE_UNLESS_KILLED', 'KILL'),
    KILLING: saveThenLost,
    RESTARTING: saveThenLost,
    DRAINING: saveThenLost,
    PREEMPTING: saveThenLost,
  },
  PREEMPTING: endingWithReplacement,
  RESTARTING: endingWithReplacement,
  DRAINING: endingWithReplacement,
  KILLING: {
    FINISHED: save,
    FAILED: save,
    KILLED: save,
    LOST: save,
    DELETED: remove,
    PARTITIONED: saveThenLost,
    ...straysAreKilled,
  },
  FINISHED: ended,
  FAILED: ended,
  KILLED: ended,
  LOST: ended,
  DELETED: straysAreKilled,
};

/** Result of trying a pair. ILLEGAL_WITH_KILL: nothing is written, but a kill must be sent. */
export type Outcome = 'SUCCESS' | 'NOOP' | 'ILLEGAL' | 'ILLEGAL_WITH_KILL';

/** What the conditional reschedules look at. */
export interface TransitionFacts {
  readonly service: boolean;
  /** Runs that may fail; -1 = unlimited. */
  readonly maxTaskFailures: number;
  /** Failed runs of the instance before this transition. */
  readonly failureCount: number;
  /** The history contains a KILLING event. */
  readonly wasKilling: boolean;
}

export interface Attempt {
  readonly outcome: Outcome;
  /** Unconditional effects, in `effectOrder`. Empty unless SUCCESS or ILLEGAL_WITH_KILL. */
  readonly effects: readonly Effect[];
}

/** Whether `from -> to` is allowed, without its effects; for a task id that has no row, `from` is DELETED. */
export function outcomeOf(from: MachineState, to: MachineState): Outcome {
  if (from === to) return 'NOOP';
  const found = transitionTable[from][to];
  if (!found) return 'ILLEGAL';
  return found.allowed ? 'SUCCESS' : 'ILLEGAL_WITH_KILL';
}

/** Tries one transition: is it allowed, and what is to be done, given the facts of the task. */
export function attempt(from: MachineState, to: MachineState, facts: TransitionFacts): Attempt {
  const outcome = outcomeOf(from, to);
  if (outcome === 'NOOP' || outcome === 'ILLEGAL') return { outcome, effects: [] };
  const effects = transitionTable[from][to]?.effects ?? [];
  return { outcome, effects: effects.flatMap((effect) => resolve(effect, facts)) };
}

function resolve(effect: TableEffect, facts: TransitionFacts): Effect[] {
  switch (effect) {
    case 'RESCHEDULE_IF_SERVICE':
      return facts.service ? ['RESCHEDULE'] : [];
    case 'RESCHEDULE_IF_RETRY_LEFT':
      return retryLeft(facts) ? ['RESCHEDULE'] : [];
    case 'RESCHEDULE_UNLESS_KILLED':
      return facts.wasKilling ? [] : ['RESCHEDULE'];
    case 'INCREMENT_FAILURES':
    case 'SAVE_STATE':
    case 'RESCHEDULE':
    case 'TRANSITION_TO_LOST':
    case 'KILL':
    case 'DELETE':
      return [effect];
  }
}

/** May a run that just failed be retried? `failureCount` does not yet include it (spec section 4, R?fail). */
function retryLeft(facts: TransitionFacts): boolean {
  return facts.service || facts.maxTaskFailures === -1 || facts.failureCount < facts.maxTaskFailures - 1;
}

/**
 * Must the stream consumer send a kill, having seen a row go from `from` to `to` in one write? True if any path that
 * one write can take has the KILL effect. TRANSITION_TO_LOST hides the middle state from the consumer, so the answer
 * for KILLING -> LOST is yes: by way of PARTITIONED the table asks for it; directly it does not, and one more kill of
 * a task that never confirmed its end does no harm. All other answers are exact.
 */
export function killNeeded(from: TaskState, to: TaskState): boolean {
  if (hasEffect(from, to, 'KILL')) return true;
  if (to !== 'LOST') return false;
  return taskStates.some(
    (middle) => hasEffect(from, middle, 'TRANSITION_TO_LOST') && hasEffect(middle, 'LOST', 'KILL'),
  );
}

function hasEffect(from: MachineState, to: MachineState, effect: Effect): boolean {
  const found = transitionTable[from][to];
  return from !== to && found?.allowed === true && found.effects.includes(effect);
}

/** Does the change give the task's resources back to its agent's ledger? On an agent before, ended or gone after. */
export function releasesResources(from: TaskState, to: TaskState | 'DELETED'): boolean {
  return isOnAgent(from) && (to === 'DELETED' || isTerminal(to));
}
