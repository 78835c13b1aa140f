// When an update must be looked at again: pure, from one evaluation. An execution that waits for a batch goes on
//
//   the update stopped, ended, or goes the other way   now
//   further instances would get their turn             now: the verdict is the execution's
//   all instances whose turn it is run and are watched when the last of them has run long enough
//   otherwise                                          not yet: a change of a task will tell, or a look that is due
//
// A look is not a verdict: it is a delayed message, not a way through the states of the execution, and costs about a
// fiftieth of one. It refills the slots of a queue at the moment each gets free, and keeps placement deadlines.
import type { UpdateStatus } from '../../shared/model/update.ts';
import type { Evaluated } from './evaluate-stored.ts';

export interface Readiness {
  /** When the execution that waits shall go on, epoch ms; undefined = not yet. */
  readonly goOnAt: number | undefined;
  /** When to look again whatever happens until then, epoch ms; undefined = a change of a task will tell. */
  readonly lookAt: number | undefined;
}

/** `began`: the update's status when the execution began to wait; undefined = none waits. */
export function readinessOf(
  { stored, evaluation, held }: Evaluated,
  began: UpdateStatus | undefined,
  now: number,
): Readiness {
  const { settings, status } = evaluation?.next ?? stored.update;
  if (evaluation === undefined || status !== (began ?? status)) return { goOnAt: now, lookAt: undefined };
  const isQueue = settings.strategy.kind === 'queue';
  // A batch goes on as a whole: the end of one of its watches changes nothing.
  const lookAt = isQueue ? evaluation.wakeAt : evaluation.deadlineAt;
  if (held) return { goOnAt: now, lookAt };
  const untils = evaluation.waiting.flatMap(({ why, since }) =>
    why === 'WATCH' ? [since + settings.minWaitInInstanceRunningMs] : [],
  );
  const working = evaluation.waiting.length + evaluation.actions.length;
  if (untils.length === 0 || untils.length < working) return { goOnAt: undefined, lookAt };
  const last = untils.reduce((latest, until) => Math.max(latest, until));
  // The verdict then looks by itself.
  return { goOnAt: last, lookAt: lookAt !== undefined && lookAt < last ? lookAt : undefined };
}
