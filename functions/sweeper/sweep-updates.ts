// Looks after updates that act: each must have an execution of the update workflow (design D10). One that has lost it (it
// was stopped by hand, or failed) gets another; one that has it is woken once, in case a hint was lost.
import { isRolling } from '../../shared/domain/update/status-machine.ts';
import type { Clock } from '../../shared/lib/ports.ts';
import { type JobKey, jobPath } from '../../shared/model/job-key.ts';
import { mapLimit } from '../../shared/store/flow.ts';
import type { Store } from '../../shared/store/port.ts';
import { updateWake } from '../messages.ts';
import type { Log, MessagePort, RemainingTime, WorkflowPort } from '../ports.ts';

export interface UpdateSweepDeps {
  readonly store: Pick<Store, 'listDueUpdates' | 'getUpdate' | 'writeUpdate' | 'deferUpdate'>;
  readonly workflows: Pick<WorkflowPort, 'isRunning'>;
  readonly messages: MessagePort;
  readonly jobsQueueUrl: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Executions asked for in one sweep: Step Functions answers 10 such questions a second in most regions, to all who ask in
 * the account. Those due for longest come first, so with more updates than this each is looked at every few minutes.
 */
export const looksPerSweep = 400;
const updatesAtOnce = 8;
/** Begin no look when less time than this is left, milliseconds. */
const reserveMs = 15_000;
/** Time between two looks at the same update, milliseconds. */
const lookEveryMs = 60_000;

/** Answers how many got another execution. */
export async function sweepUpdates(
  shards: readonly number[],
  remainingMs: RemainingTime,
  deps: UpdateSweepDeps,
): Promise<number> {
  const due = await mapLimit(shards, updatesAtOnce, (shard) =>
    deps.store.listDueUpdates(shard, deps.clock(), looksPerSweep),
  );
  const longestFirst = due.flat().sort((a, b) => a.dueAt - b.dueAt);
  const failures: unknown[] = [];
  const restarted = await mapLimit(longestFirst.slice(0, looksPerSweep), updatesAtOnce, async (found) => {
    if (remainingMs() < reserveMs) return false;
    const { key, updateId } = found;
    try {
      return await lookAt(key, updateId, deps);
    } catch (error) {
      failures.push(error);
      deps.log.error('an update could not be looked at; a later sweep does, the others are not kept', {
        job: jobPath(key),
        updateId,
        error,
      });
      return false;
    }
  });
  if (failures.length > 0) throw failures[0];
  return restarted.filter(Boolean).length;
}

async function lookAt(key: JobKey, updateId: string, deps: UpdateSweepDeps): Promise<boolean> {
  const stored = await deps.store.getUpdate(key, updateId);
  // The index lags behind: it has stopped or ended meanwhile.
  if (!stored || !isRolling(stored.update.status)) return false;
  const now = deps.clock();
  // First, so that one that cannot be looked at does not come before all others again.
  await deps.store.deferUpdate(stored, now + lookEveryMs);
  if (await deps.workflows.isRunning({ updateId, sequence: stored.sequence })) {
    await deps.messages.send(deps.jobsQueueUrl, [updateWake(key, updateId, [])]);
    return false;
  }
  // The stream starts it (design D1). If somebody writes the update first, a later sweep looks again.
  const outcome = await deps.store.writeUpdate({
    before: stored,
    next: stored.update,
    newExecution: true,
    now,
  });
  deps.log.warn('an update had no execution; it gets another', { updateId, outcome: outcome.kind });
  return outcome.kind === 'committed';
}
