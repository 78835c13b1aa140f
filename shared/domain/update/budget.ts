// The availability budget: an update has no more instances of the job down at once than its group size, and whatever
// else is down (a dead agent, a crash, a drain) counts against it. It only ever holds back the take-down of an
// instance that is up; a replacement for what is down anyway costs nothing.
//
// Not counted, since waiting for them could last for ever and the update may be their very cure:
//   - instances that were down when the update began;
//   - instances that failed in this direction: the user bears them by `maxFailedInstances`;
//   - instances that keep failing, be it the old version: one failure is waited out, a crash loop is not;
//   - instances that shall not exist (yet, or any more);
//   - on the way back, instances still to be put back that do not run their original config.
import { listInstances } from '../../model/instance-ranges.ts';
import type { UpdateRecord } from '../../model/update.ts';
import { keepsFailing } from './failures.ts';
import { isUp, newestTask, type UpdateTask } from './newest-task.ts';
import type { Pass } from './pass.ts';

export interface Budget {
  /** Would the instance count, were it down? */
  readonly counts: (instance: number) => boolean;
  /** Take-downs that are still allowed; may be negative. */
  readonly left: number;
}

/** The budget at this moment. `othersDown`: instances of the job that are down and not among `views`. */
export function budgetOf(
  update: UpdateRecord,
  pass: Pass,
  views: ReadonlyMap<number, readonly UpdateTask[]>,
  limit: number,
  othersDown: number,
): Budget {
  const borne = new Set([...listInstances(update.downAtStart), ...pass.failed]);
  const wanted = wantedIn(pass, views);
  const counts = (instance: number) =>
    !borne.has(instance) && wanted(instance) && !keepsFailing(views.get(instance) ?? [], update.createdAt);
  let down = othersDown;
  for (const [instance, tasks] of views) {
    if ((pass.taken.has(instance) || !isUp(tasks)) && counts(instance)) down++;
  }
  return { counts, left: limit - down };
}

/** Is it a loss to the job if an instance is down? */
function wantedIn(
  pass: Pass,
  views: ReadonlyMap<number, readonly UpdateTask[]>,
): (instance: number) => boolean {
  const { order, back, initial, desired, visited, revisited } = pass;
  return (instance) => {
    const position = order.positionOf(instance);
    if (position === undefined) return true;
    const [before, after] = [initial(instance), desired(instance)];
    if (!back) return after !== undefined && (before !== undefined || position < visited);
    if (before === undefined) return false;
    return position >= visited - revisited || newestTask(views.get(instance) ?? [])?.configId === before;
  };
}
