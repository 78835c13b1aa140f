// How the small messages between functions are put into queue messages (shared/model/wake.ts says what they mean).
import { createHash } from 'node:crypto';
import { type JobKey, jobKeyOnly, jobPath } from '../shared/model/job-key.ts';
import type {
  DrainWake,
  MatcherWake,
  Probe,
  ReconcileWake,
  Timer,
  UpdateWake,
} from '../shared/model/wake.ts';
import type { OutgoingMessage } from './ports.ts';

/** SQS takes at most this delay and this length of a group name. */
const maxDelaySeconds = 900;
const maxGroupLength = 128;
/** Instances named in one wake-up of an update. */
const maxHints = 500;

/** One message group a pool: one matcher at a time (design D2). */
export function matcherWake(pool: string): OutgoingMessage {
  const wake: MatcherWake = { v: 1, pool };
  return { body: JSON.stringify(wake), groupId: pool };
}

/** One message group a job: one reconciler at a time. */
export function reconcileWake(job: JobKey): OutgoingMessage {
  const wake: ReconcileWake = { v: 1, key: jobKeyOnly(job) };
  return { body: JSON.stringify(wake), groupId: jobGroup(wake.key) };
}

/** One message group a job: one step of its update at a time. `instances`: where to look, as far as one message goes. */
export function updateWake(job: JobKey, updateId: string, instances: readonly number[]): OutgoingMessage {
  const key = jobKeyOnly(job);
  const wake: UpdateWake = { v: 1, key, updateId, instances: instances.slice(0, maxHints) };
  return { body: JSON.stringify(wake), groupId: jobGroup(key) };
}

function jobGroup(key: JobKey): string {
  const path = jobPath(key);
  return path.length <= maxGroupLength ? path : createHash('sha256').update(path).digest('hex');
}

/** Pause between passes over the agents that are being emptied: the delay of their queue, seconds. */
export const drainPauseSecs = 5;

/**
 * All wake-ups within one pause are one message, else each cause would start a chain of passes of its own. None gets
 * lost by that: the queue delivers a message a whole pause after it was sent, so after the last of its duplicates.
 */
export function drainWake(now: number): OutgoingMessage {
  const wake: DrainWake = { v: 1, drain: 'agents' };
  const slot = Math.floor(now / (drainPauseSecs * 1000));
  return { body: JSON.stringify(wake), groupId: 'agents', deduplicationId: `agents-${slot}` };
}

/** Delivered at `dueAt` or after 15 minutes, whichever is first; the receiver arms it again if it is early. */
export function timerMessage(timer: Timer, dueAt: number, now: number): OutgoingMessage {
  const seconds = Math.ceil((dueAt - now) / 1000);
  return { body: JSON.stringify(timer), delaySeconds: Math.min(maxDelaySeconds, Math.max(0, seconds)) };
}

/** Shows the next roll call that the queue of heartbeats is in time. */
export function probeMessage(calledAt: number): OutgoingMessage {
  const probe: Probe = { v: 1, probe: calledAt };
  return { body: JSON.stringify(probe) };
}
