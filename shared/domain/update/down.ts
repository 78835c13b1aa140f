// What an evaluation that sees only a part of its job must not forget: instances outside of the update's present turns
// that went down meanwhile. News of them come once; the record keeps them until they are seen up again, so that they
// count against the availability budget at every evaluation in between, whoever makes it.
import { listInstances, toInstanceRanges } from '../../model/instance-ranges.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { budgetOf } from './budget.ts';
import { instancesToRead } from './evaluate.ts';
import { type InstanceView, isUp } from './newest-task.ts';
import { openPass } from './pass.ts';
import { sameRanges } from './record.ts';
import { isRolling } from './status-machine.ts';

/** Instances remembered one by one; with more than these down, an update stands still anyway. */
const maxDown = 500;

/** The record with what was seen down among the views; the very object that was given if it knew all of it. */
export function rememberDown(update: UpdateRecord, seen: readonly InstanceView[]): UpdateRecord {
  if (!isRolling(update.status)) return update;
  const views = new Map(seen.map(({ instance, tasks }) => [instance, tasks]));
  const { counts } = budgetOf(update, openPass(update), views, 0, 0);
  const always = new Set(listInstances(instancesToRead(update)));
  const before = update.progress.down ?? [];
  const down = new Set(listInstances(before));
  for (const [instance, tasks] of views) {
    if (!always.has(instance) && !isUp(tasks) && counts(instance)) down.add(instance);
    else down.delete(instance);
  }
  const after = toInstanceRanges([...down].slice(0, maxDown));
  return sameRanges(before, after) ? update : { ...update, progress: { ...update.progress, down: after } };
}
