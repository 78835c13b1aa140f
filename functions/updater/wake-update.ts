// Something happened that an update may have waited for: its step is made, and if that brings the batch to where a
// verdict is due, the execution that waits for it is told. Level-triggered: a lost message costs the time until the
// next one, a repeated one nothing.
import type { JobKey } from '../../shared/model/job-key.ts';
import type { UpdateRecord } from '../../shared/model/update.ts';
import type { UpdateCallback } from '../../shared/store/port.ts';
import type { UpdaterDeps } from './deps.ts';
import { evaluateStored, turnsBegun } from './evaluate-stored.ts';
import { readinessOf } from './readiness.ts';

export interface WakeRequest {
  readonly key: JobKey;
  readonly updateId: string;
  readonly hints: readonly number[];
}

/** Throws if the store does, or Step Functions; the message comes again. */
export async function wakeUpdate(request: WakeRequest, deps: UpdaterDeps): Promise<void> {
  const callback = await deps.store.getCallback(request.updateId);
  if (callback) {
    if ((await release(request, callback, deps)) !== 'gone') return;
  }
  // No execution waits: it is between two waits, or lost. The update goes on all the same.
  const evaluated = await evaluateStored(request, deps);
  if (evaluated) await setAlarm(request, readinessOf(evaluated, undefined, deps.clock()).lookAt, deps);
}

async function setAlarm(
  { key, updateId }: WakeRequest,
  lookAt: number | undefined,
  deps: UpdaterDeps,
): Promise<void> {
  if (lookAt !== undefined) await deps.alarms.set(key, updateId, lookAt);
}

/**
 * Further turns are left to the execution that waits, so that every batch is seen there; but the slots of a queue are
 * filled again without it until a whole group has had its turn. gone: nobody waits with this
 * callback any more.
 */
async function release(
  request: WakeRequest,
  callback: UpdateCallback,
  deps: UpdaterDeps,
): Promise<'released' | 'notYet' | 'gone'> {
  const mayBegin = (next: UpdateRecord): boolean => {
    const { strategy } = next.settings;
    return strategy.kind === 'queue' && turnsBegun(next) - callback.turnsBegun < strategy.groupSize;
  };
  const evaluated = await evaluateStored({ ...request, mayBegin }, deps);
  const now = deps.clock();
  const { goOnAt, lookAt } = evaluated
    ? readinessOf(evaluated, callback.status, now)
    : { goOnAt: now, lookAt: undefined };
  await setAlarm(request, lookAt, deps);
  if (goOnAt === undefined) return 'notYet';
  const output = { until: new Date(goOnAt).toISOString() };
  const answer = await deps.workflows.answer(callback.taskToken, output);
  // Only after the answer: a crash in between answers again, which is refused and then forgotten.
  await deps.store.dropCallback(callback);
  return answer === 'taken' ? 'released' : 'gone';
}
