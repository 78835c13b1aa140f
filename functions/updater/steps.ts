// What the update workflow asks of the updater: a verdict (with everything that follows from it), and to be told when
// the batch is up. Each may be asked twice, by a redelivered step or by a second execution of the same update; the one
// with the highest number is the one that counts.
import { isRolling } from '../../shared/domain/update/status-machine.ts';
import type { UpdateRecord } from '../../shared/model/update.ts';
import type { UpdateRun } from '../../shared/model/wake.ts';
import type { StoredUpdate } from '../../shared/store/port.ts';
import type { UpdaterDeps } from './deps.ts';
import { evaluateStored, turnsBegun } from './evaluate-stored.ts';
import { wakeUpdate } from './wake-update.ts';

/** Where the workflow goes next; the names are those of its choices. */
type Decision =
  | 'forward'
  | 'back'
  /** Paused, or waiting for a pulse: whoever lets it go on starts another execution. */
  | 'stopped'
  | 'rolledForward'
  | 'rolledBack'
  | 'aborted'
  | 'failed'
  | 'handedOver'
  /** Another execution has taken over, or the update is gone. */
  | 'superseded';

export interface Verdict extends UpdateRun {
  readonly decision: Decision;
  /** Ask for a verdict after so many seconds if nobody has said anything by then, as if an answer had been lost. */
  readonly patienceSeconds: number;
}

/** Watches and deadlines have alarms of their own, which cost no transitions. */
const patienceSeconds = 24 * 3600;

/** One verdict of an execution. */
export async function verdict(run: UpdateRun, deps: UpdaterDeps): Promise<Verdict> {
  const { key, updateId, sequence } = run;
  const turned = { ...run, turns: run.turns + 1 };
  const before = await deps.store.getUpdate(key, updateId);
  if (!before || before.sequence !== sequence) return decided(turned, 'superseded');
  const evaluated = await evaluateStored({ key, updateId }, deps);
  if (!evaluated || evaluated.stored.sequence !== sequence) return decided(turned, 'superseded');
  const { stored } = evaluated;
  const { status } = stored.update;
  if (isRolling(status) && turned.turns >= deps.turnsPerExecution) {
    return decided(turned, (await handOver(stored, deps)) ? 'handedOver' : 'superseded');
  }
  return decided(turned, decisions[status]);
}

const decisions: Readonly<Record<UpdateRecord['status'], Decision>> = {
  ROLLING_FORWARD: 'forward',
  ROLLING_BACK: 'back',
  ROLL_FORWARD_PAUSED: 'stopped',
  ROLL_BACK_PAUSED: 'stopped',
  ROLL_FORWARD_AWAITING_PULSE: 'stopped',
  ROLL_BACK_AWAITING_PULSE: 'stopped',
  ROLLED_FORWARD: 'rolledForward',
  ROLLED_BACK: 'rolledBack',
  ABORTED: 'aborted',
  FAILED: 'failed',
  ERROR: 'failed',
};

function decided(run: UpdateRun, decision: Decision): Verdict {
  return { ...run, decision, patienceSeconds };
}

/** The stream starts the execution of the new number (design D1). False if somebody else wrote the update first. */
async function handOver(stored: StoredUpdate, { store, clock }: UpdaterDeps): Promise<boolean> {
  for (let before = stored; ; ) {
    const now = clock();
    const outcome = await store.writeUpdate({ before, next: before.update, newExecution: true, now });
    if (outcome.kind === 'committed') return true;
    const again = await store.getUpdate(before.update, before.update.updateId);
    if (!again || again.sequence !== before.sequence || !isRolling(again.update.status)) return false;
    before = again;
  }
}

/** Remembers what the execution waits with, and answers at once if there is nothing to wait for. */
export async function awaitBatch(run: UpdateRun, taskToken: string, deps: UpdaterDeps): Promise<void> {
  const { key, updateId, sequence } = run;
  const stored = await deps.store.getUpdate(key, updateId);
  const now = deps.clock();
  if (stored?.sequence !== sequence) {
    await deps.workflows.answer(taskToken, { until: new Date(now).toISOString() });
    return;
  }
  const { status } = stored.update;
  const callback = { updateId, sequence, status, turnsBegun: turnsBegun(stored.update), taskToken };
  await deps.store.putCallback(callback, now);
  await wakeUpdate({ key, updateId, hints: [] }, deps);
}
