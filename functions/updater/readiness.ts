// When the execution that waits for a batch shall go on: pure, from one evaluation.
//
//   the update stopped, ended, or goes the other way   now
//   further instances would get their turn             now: the verdict is the execution's
//   all instances whose turn it is run and are watched when the last of them has run long enough
//   a queue, some are watched                          when the first few of them have: their slots can be filled
//   otherwise                                          not yet: a change of a task will tell
import type { UpdateSettings, UpdateStatus } from '../../shared/model/update.ts';
import type { Evaluated } from './evaluate-stored.ts';

/** Slots of a queue that get free within this share of the watch time are filled together. */
const coalescedShare = 0.25;

/** When to go on, epoch ms; undefined = not yet. `began`: the update's status when the execution began to wait. */
export function readyAt(
  { stored, evaluation, held }: Evaluated,
  began: UpdateStatus,
  now: number,
): number | undefined {
  const { settings, status } = evaluation?.next ?? stored.update;
  if (held || evaluation === undefined || status !== began) return now;
  const watched = evaluation.waiting.flatMap(({ instance, why, since }) =>
    why === 'WATCH' ? [{ instance, until: since + settings.minWaitInInstanceRunningMs }] : [],
  );
  const untils = watched.map(({ until }) => until);
  const working = evaluation.waiting.length + evaluation.actions.length;
  if (untils.length > 0 && untils.length === working && settings.strategy.kind !== 'queue') {
    return untils.reduce((latest, until) => Math.max(latest, until));
  }
  return settings.strategy.kind === 'queue' && untils.length > 0 ? firstFew(untils, settings) : undefined;
}

function firstFew(untils: readonly number[], { minWaitInInstanceRunningMs }: UpdateSettings): number {
  const first = untils.reduce((earliest, until) => Math.min(earliest, until));
  const bound = first + minWaitInInstanceRunningMs * coalescedShare;
  return untils.reduce((latest, until) => (until <= bound ? Math.max(latest, until) : latest), first);
}
