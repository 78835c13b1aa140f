// What the queue of jobs brings: reconciles, news for updates, passes over the agents that are being emptied. They share
// a queue because every queue that feeds a function is polled, and paid for, all the time
// (docs/adr/0013-one-queue-for-the-work-on-jobs.md). Message groups keep them apart: each kind of work on a job goes one
// at a time, and so do passes; none waits for another kind.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { jobPath } from '../../shared/model/job-key.ts';
import { type JobWork, jobWorkSchema } from '../../shared/model/wake.ts';
import { type DrainDeps, drainPass } from '../drainer/drain-pass.ts';
import { drainTimer, reconcileWake } from '../messages.ts';
import type { Log, MessagePort, RemainingTime } from '../ports.ts';
import { processGroups } from '../queue-batch.ts';
import { type ReconcilerDeps, reconcileJob } from '../reconciler/reconcile-job.ts';
import type { UpdaterDeps } from '../updater/deps.ts';
import { wakeUpdate } from '../updater/wake-update.ts';

export interface JobWorkDeps {
  readonly reconciler: ReconcilerDeps;
  readonly updater: UpdaterDeps;
  readonly drainer: DrainDeps;
  readonly messages: MessagePort;
  readonly jobsQueueUrl: string;
  readonly timersQueueUrl: string;
  readonly log: Log;
}

/** Works on one batch; answers the messages whose work failed. */
export function processJobMessages(
  event: SQSEvent,
  remainingMs: RemainingTime,
  deps: JobWorkDeps,
): Promise<SQSBatchResponse> {
  return processGroups(event, {
    schema: jobWorkSchema,
    groupOf: nameOf,
    merge: mergeNews,
    fieldsOf,
    log: deps.log,
    work: (message) => work(message, remainingMs, deps),
  });
}

async function work(message: JobWork, remainingMs: RemainingTime, deps: JobWorkDeps): Promise<void> {
  if ('drain' in message) {
    const { draining, drained } = await drainPass(remainingMs, deps.drainer);
    if (draining > drained) await deps.messages.send(deps.timersQueueUrl, [drainTimer(deps.drainer.clock())]);
    return;
  }
  const { key } = message;
  if ('updateId' in message) {
    return wakeUpdate({ key, updateId: message.updateId, hints: message.instances }, deps.updater);
  }
  const outcome = await reconcileJob(key, remainingMs, deps.reconciler);
  if (outcome === 'outOfTime') await deps.messages.send(deps.jobsQueueUrl, [reconcileWake(key)]);
}

/** What means the same work has the same name. */
function nameOf(message: JobWork): string {
  if ('drain' in message) return 'draining agents';
  if ('updateId' in message) return `update ${message.updateId}`;
  return `job ${jobPath(message.key)}`;
}

/** News of one update are told together. */
function mergeNews(one: JobWork, other: JobWork): JobWork {
  if (!('updateId' in one && 'updateId' in other)) return one;
  return { ...one, instances: [...one.instances, ...other.instances] };
}

function fieldsOf(message: JobWork): Readonly<Record<string, string>> {
  if ('drain' in message) return {};
  const job = jobPath(message.key);
  return 'updateId' in message ? { job, updateId: message.updateId } : { job };
}
