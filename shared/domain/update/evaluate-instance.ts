// One instance of an update: the config it shall run and the tasks it has -> one verdict (spec/updates.md section 7).
// Level-triggered: the same tasks give the same verdict, so asking again is harmless and a lost answer is given again.
//
//   target  newest task                          verdict
//   none    none, or ended                       SUCCEEDED
//   none    KILLING                              WAIT
//   none    any other                            KILL
//   yes     its new tasks ended too often        FAILED
//   yes     none, or ended                       CREATE
//   yes     other config, KILLING                WAIT
//   yes     other config, any other              KILL
//   yes     same config, RUNNING long enough     SUCCEEDED
//   yes     same config, any other               WAIT
import { isTerminal, type Task } from '../../model/task.ts';
import { countFailures } from './failures.ts';
import { newestTask, type UpdateTask } from './newest-task.ts';

export interface InstanceQuestion {
  readonly tasks: readonly UpdateTask[];
  /** The config the instance shall run; undefined = it shall not exist. */
  readonly target: string | undefined;
  /** When its turn began, epoch ms. */
  readonly since: number;
  /** Epoch ms. */
  readonly now: number;
  readonly maxPerInstanceFailures: number;
  readonly minWaitInInstanceRunningMs: number;
}

/** Why an instance whose turn it is has nothing done for it. */
export type WaitReason =
  /** Its old task is being ended. */
  | 'ENDING'
  /** No agent has room for it, or none has been looked for yet. Never counts as a failure. */
  | 'PLACEMENT'
  /** Held back because its new tasks keep ending. */
  | 'PENALTY'
  /** An agent has it, but it is not healthy yet. */
  | 'STARTING'
  /** RUNNING, but not for long enough. */
  | 'WATCH'
  /** Its agent is silent. */
  | 'PARTITIONED'
  /** Ended on request of someone else, and then replaced. */
  | 'RESTARTING'
  /** Taking it down as well would have too many down at once. */
  | 'BUDGET';

export type InstanceVerdict =
  | { readonly kind: 'SUCCEEDED' }
  | { readonly kind: 'FAILED' }
  | { readonly kind: 'KILL'; readonly task: UpdateTask }
  /** `generation` follows from the predecessor (design D5). */
  | { readonly kind: 'CREATE'; readonly configId: string; readonly generation: number }
  /** `until`: look again then, epoch ms; absent = its tasks will change. `since`: it has waited from then on. */
  | { readonly kind: 'WAIT'; readonly why: WaitReason; readonly since: number; readonly until?: number };

/** What is to be done about one instance. */
export function evaluateInstance(question: InstanceQuestion): InstanceVerdict {
  const { tasks, target, since } = question;
  const newest = newestTask(tasks);
  if (target === undefined) {
    return newest === undefined || isTerminal(newest.state) ? { kind: 'SUCCEEDED' } : endIt(newest);
  }
  if (countFailures(tasks, target, since) > question.maxPerInstanceFailures) return { kind: 'FAILED' };
  // The task machine writes a successor together with the end it follows; so if the newest has ended, none will come.
  if (newest === undefined || isTerminal(newest.state)) {
    return { kind: 'CREATE', configId: target, generation: (newest?.generation ?? 0) + 1 };
  }
  return newest.configId === target ? watch(newest, question) : endIt(newest);
}

function endIt(task: UpdateTask): InstanceVerdict {
  return task.state === 'KILLING'
    ? { kind: 'WAIT', why: 'ENDING', since: enteredAt(task) }
    : { kind: 'KILL', task };
}

function watch(task: UpdateTask, { now, minWaitInInstanceRunningMs }: InstanceQuestion): InstanceVerdict {
  const since = enteredAt(task);
  if (task.state !== 'RUNNING') return { kind: 'WAIT', why: waitReasons[task.state] ?? 'STARTING', since };
  const until = since + minWaitInInstanceRunningMs;
  return now >= until ? { kind: 'SUCCEEDED' } : { kind: 'WAIT', why: 'WATCH', since, until };
}

const waitReasons: Readonly<Partial<Record<Task['state'], WaitReason>>> = {
  THROTTLED: 'PENALTY',
  PENDING: 'PLACEMENT',
  ASSIGNED: 'STARTING',
  STARTING: 'STARTING',
  PARTITIONED: 'PARTITIONED',
  PREEMPTING: 'RESTARTING',
  RESTARTING: 'RESTARTING',
  DRAINING: 'RESTARTING',
  KILLING: 'ENDING',
};

/** When the task came into its state, epoch ms. */
function enteredAt({ events }: UpdateTask): number {
  return events.at(-1)?.at ?? 0;
}
