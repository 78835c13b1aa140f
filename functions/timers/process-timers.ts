// One batch of delayed messages: timers of the same thing are one.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { timerSchema } from '../../shared/model/wake.ts';
import { processGroups } from '../queue-batch.ts';
import { fireTimer, type TimerDeps } from './fire-timer.ts';

/** Fires every timer of the batch; answers the messages whose work failed. */
export function processTimers(event: SQSEvent, deps: TimerDeps): Promise<SQSBatchResponse> {
  return processGroups(event, {
    schema: timerSchema,
    groupOf: (timer) => `${timer.kind} ${timer.kind === 'drain' ? timer.slot : timer.taskId}`,
    fieldsOf: (timer): Readonly<Record<string, string>> =>
      timer.kind === 'drain' ? {} : { taskId: timer.taskId },
    log: deps.log,
    work: (timer) => fireTimer(timer, deps),
  });
}
