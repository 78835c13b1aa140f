// What becomes of the tasks of a lost agent (spec/task-lifecycle.md sections 4 and 8). Pure.
//
//   ASSIGNED                        LOST and replaced: nobody has acknowledged it
//   STARTING, RUNNING               by the job's partition policy: LOST and replaced at once (no policy), PARTITIONED
//                                   until a delay is over, or PARTITIONED until the agent returns or somebody acts
//   PREEMPTING, RESTARTING,         LOST at once (by way of PARTITIONED), replaced unless it was being killed
//   DRAINING, KILLING
//   PARTITIONED                     stays: its deadline is in the row
import type { Task } from '../../model/task.ts';
import type { PartitionPolicy } from '../../model/task-config.ts';
import { applyTransition, type TransitionInput, type TransitionSources } from '../task/apply.ts';
import { partitionTooLong } from '../task/timeouts.ts';

/** The change of one task as it is written: events of all its steps, one successor at most. */
export interface LostTaskChange {
  readonly task: Task;
  readonly next: Task;
  readonly successor?: Task;
}

/** Undefined if nothing is to be done about the task. */
export function changeOfLost(
  task: Task,
  policy: PartitionPolicy | undefined,
  input: Pick<TransitionInput, 'now' | 'timeouts' | 'flapping'>,
  sources: TransitionSources,
): LostTaskChange | undefined {
  if (task.state === 'ASSIGNED') {
    return changeTo(
      task,
      'LOST',
      { ...input, message: 'Its agent was lost before it took the task.' },
      sources,
    );
  }
  if (task.state === 'PARTITIONED') return undefined;
  const timeouts = { ...input.timeouts, PARTITIONED: delayOf(policy) };
  const message = 'Its agent is silent.';
  const first = changeTo(task, 'PARTITIONED', { ...input, timeouts, message }, sources);
  if (first?.next.state !== 'PARTITIONED' || timeouts.PARTITIONED !== 0) return first;
  const second = changeTo(first.next, 'LOST', { ...input, message: partitionTooLong }, sources);
  return second && { ...second, task };
}

/** How long a task may be PARTITIONED; undefined = until somebody acts. */
function delayOf(policy: PartitionPolicy | undefined): number | undefined {
  if (policy === undefined) return 0;
  return policy.reschedule ? policy.delaySecs * 1000 : undefined;
}

function changeTo(
  task: Task,
  to: 'LOST' | 'PARTITIONED',
  input: TransitionInput,
  sources: TransitionSources,
): LostTaskChange | undefined {
  const plan = applyTransition(task, to, input, sources);
  if (plan.outcome !== 'SUCCESS' || !plan.next) return undefined;
  return { task, next: plan.next, ...(plan.successor && { successor: plan.successor }) };
}
