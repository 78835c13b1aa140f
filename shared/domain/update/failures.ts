// Which ends of an instance's new tasks speak against the new version (spec/updates.md section 7, differently).
//
// Aurora counts every end. Here an end that someone asked for (drain, preemption, restart, kill) counts nothing: it is
// a question of room, not of the version. A task lost with its agent counts nothing either, up to a limit: agents do
// die, but a version that takes its agents down with it must not go through the whole fleet.
import { isTerminal, type TaskState } from '../../model/task.ts';
import { newestTask, type UpdateTask } from './newest-task.ts';

/** Tasks of one instance that may be lost with their agents in one turn before further ones count as failures. */
export const toleratedLosses = 2;

/** NONE: not ended, or it was asked for. LOSS: its agent is to blame, as far as one can tell. */
type EndKind = 'NONE' | 'LOSS' | 'FAILURE';

const askedFor: readonly TaskState[] = ['KILLING', 'DRAINING', 'PREEMPTING', 'RESTARTING'];

/** What the end of a task says about its version. */
export function endKind({ state, events }: Pick<UpdateTask, 'state' | 'events'>): EndKind {
  if (!isTerminal(state) || events.some((event) => askedFor.includes(event.state))) return 'NONE';
  if (state !== 'LOST') return 'FAILURE';
  // Timed out in STARTING: an agent ran it and it never became healthy. From anywhere else: it vanished.
  return events.at(-2)?.state === 'STARTING' ? 'FAILURE' : 'LOSS';
}

/** Failures of the given config since a time (epoch ms), by the history of the instance's tasks. */
export function countFailures(tasks: readonly UpdateTask[], configId: string, since: number): number {
  let failures = 0;
  let losses = 0;
  for (const task of tasks) {
    if (task.configId !== configId || (task.events.at(-1)?.at ?? 0) < since) continue;
    const kind = endKind(task);
    if (kind === 'FAILURE') failures++;
    if (kind === 'LOSS') losses++;
  }
  return failures + Math.max(0, losses - toleratedLosses);
}

/**
 * Does the instance keep failing, whatever it runs: throttled by the task machine, or failed at least twice since a
 * time (epoch ms)? Then waiting for it to come back by itself makes no sense.
 */
export function keepsFailing(tasks: readonly UpdateTask[], since: number): boolean {
  if (newestTask(tasks)?.state === 'THROTTLED') return true;
  const failures = tasks.filter(
    (task) => (task.events.at(-1)?.at ?? 0) >= since && endKind(task) === 'FAILURE',
  );
  return failures.length >= 2;
}
