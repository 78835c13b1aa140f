// One batch of delayed messages: timers of the same thing are one.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { jobPath } from '../../shared/model/job-key.ts';
import { type Timer, timerSchema } from '../../shared/model/wake.ts';
import { processGroups } from '../queue-batch.ts';
import { fireTimer, type TimerDeps } from './fire-timer.ts';

/** Fires every timer of the batch; answers the messages whose work failed. */
export function processTimers(event: SQSEvent, deps: TimerDeps): Promise<SQSBatchResponse> {
  return processGroups(event, {
    schema: timerSchema,
    groupOf: (timer) => `${timer.kind} ${subjectOf(timer)}`,
    fieldsOf,
    log: deps.log,
    work: (timer) => fireTimer(timer, deps),
  });
}

function subjectOf(timer: Timer): string | number {
  if (timer.kind === 'drain') return timer.slot;
  if (timer.kind === 'agentQueue') return timer.agentId;
  return timer.kind === 'update' ? timer.updateId : timer.taskId;
}

function fieldsOf(timer: Timer): Readonly<Record<string, string>> {
  if (timer.kind === 'drain') return {};
  if (timer.kind === 'agentQueue') return { agentId: timer.agentId };
  return timer.kind === 'update'
    ? { job: jobPath(timer.key), updateId: timer.updateId }
    : { taskId: timer.taskId };
}
